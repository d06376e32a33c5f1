"""Training the embedded target networks: seeded, resumable, the same bytes every time.

AdamW with a one-cycle schedule. The result is the network after the last epoch, by definition: the
schedule ends at a learning rate near zero, so there is no "best" epoch to go back to, and no
held-out data is spent on choosing one.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.files import atomic_path, canonical_json, text_hash, write_csv
from milan_core.core.seeding import generator, seed_torch
from milan_core.networks.inputs import InputSpec
from milan_core.networks.training.objectives import Classify, Objective
from milan_core.networks.weights import save_weights
from milan_core.networks.zoo import LoadedModel, load_model

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"


class LabelledImages(Protocol):
    """What training needs of a dataset (`milan_core.images.Dataset` has it)."""

    images: np.ndarray  # uint8 (N, H, W, 3)
    labels: np.ndarray  # int (N,)

    @property
    def fingerprint(self) -> str:
        """Digest of the content."""
        ...


@dataclass(frozen=True)
class TrainSettings:
    """Settings of `train_classifier`; the defaults are those of the embedded networks."""

    epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    flip: bool = False  # mirror each image with probability 1/2
    bf16: bool = False  # faster on some machines; the bytes then depend on the machine more
    device: str = "cpu"

    @classmethod
    def from_mapping(cls, value: Mapping[str, Any] | TrainSettings) -> TrainSettings:
        """Settings from a config section; unknown keys and impossible values are refused."""
        if isinstance(value, cls):
            return value
        assert isinstance(value, Mapping)
        try:
            settings = replace(cls(), **value)
        except TypeError:
            known = ", ".join(asdict(cls()))
            msg = f"training settings: unknown key among {sorted(value)}; known: {known}"
            raise UserError(msg) from None
        if settings.epochs < 1 or settings.batch_size < 1 or settings.learning_rate <= 0:
            msg = "training settings: epochs, batch_size and learning_rate must be positive"
            raise UserError(msg)
        return settings


def train_network(
    spec: Mapping[str, Any],
    train: LabelledImages,
    settings: TrainSettings | Mapping[str, Any],
    seed: int,
    out: Path | str,
    objective: Objective,
    code: str = "",
    meta: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Train the network of a zoo spec on what `objective` asks of it.

    Writes into `out`: ``weights.safetensors`` (kind milan-weights), ``training.csv`` (epoch, loss,
    seconds) and, after every epoch, ``checkpoint.pt``. A killed run resumes from its checkpoint and
    ends with the same bytes as one that was not killed. A checkpoint of another spec, dataset,
    seed, setting, objective or `code` (a version of the training sources) is not used, with a line
    in the log; none is left when the training has ended. Bytes are equal for equal torch version,
    machine type and thread count. `meta` is kept beside the weights.

    Returns:
        The trained network in eval mode.

    """
    settings = TrainSettings.from_mapping(settings)
    out = Path(out)
    if len(train.labels) == 0:
        raise UserError("the training set has no images")
    identity = _identity(spec, train, settings, seed, [objective.identity, code])
    with torch.random.fork_rng(devices=[]), _deterministic():
        seed_torch(seed, "initial weights")
        loaded = load_model(spec)
        run = _Run(loaded, settings, objective, len(train.labels))
        history = run.resume(out / CHECKPOINT, identity)
        for epoch in range(len(history), settings.epochs):
            history.append(run.epoch(train, epoch, seed))
            run.save(out / CHECKPOINT, identity, history)
    facts = {"spec": dict(spec), "settings": asdict(settings), "seed": seed, **(meta or {})}
    save_weights(loaded.module, out / WEIGHTS, {**facts, "dataset": train.fingerprint})
    rows = [(epoch + 1, loss, round(seconds, 3)) for epoch, (loss, seconds) in enumerate(history)]
    write_csv(out / "training.csv", ("epoch", "loss", "seconds"), rows)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return loaded.module.eval()


def train_classifier(
    spec: Mapping[str, Any],
    train: LabelledImages,
    settings: TrainSettings | Mapping[str, Any],
    seed: int,
    out: Path | str,
    code: str = "",
) -> nn.Module:
    """`train_network` on the labels of a dataset."""
    settings = TrainSettings.from_mapping(settings)
    if len(train.labels) and int(np.min(train.labels)) < 0:
        msg = "the training set has images without a label; train on a labelled dataset"
        raise UserError(msg)
    view = InputSpec.from_mapping(spec.get("input") or {})
    objective = Classify(view, train.labels, settings.device)
    return train_network(spec, train, settings, seed, out, objective, code)


def _identity(
    spec: Mapping[str, Any], train: LabelledImages, settings: TrainSettings, seed: int, more: Any
) -> str:
    facts = [dict(spec), train.fingerprint, asdict(settings), seed, more]
    return text_hash(canonical_json(facts), digits=32)


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """Use torch's deterministic algorithms inside a block; the caller's setting comes back."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    checks: Any = torch.utils.deterministic
    fill = checks.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every new tensor finds reads of unset memory; here it costs a quarter of the time.
    checks.fill_uninitialized_memory = False
    try:
        yield
    finally:
        checks.fill_uninitialized_memory = fill
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


class _Run:
    """Network, optimiser and schedule of one training run."""

    def __init__(
        self, loaded: LoadedModel, settings: TrainSettings, objective: Objective, images: int
    ) -> None:
        self.settings = settings
        self.objective = objective
        self.module = loaded.module.to(settings.device)
        self.module.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.module.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        steps = settings.epochs * -(-images // settings.batch_size)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, settings.learning_rate, total_steps=steps
        )

    def epoch(self, train: LabelledImages, epoch: int, seed: int) -> tuple[float, float]:
        """One pass over the data; returns (mean loss, seconds)."""
        start = time.perf_counter()
        # All randomness in an epoch follows from (seed, epoch): resuming needs no generator state.
        seed_torch(seed, "dropout", epoch)
        order = generator(seed, "order", epoch).permutation(len(train.labels))
        mirrored = generator(seed, "flip", epoch).random(len(order)) < 0.5
        self.module.train()
        total = 0.0
        for begin in range(0, len(order), self.settings.batch_size):
            rows = order[begin : begin + self.settings.batch_size]
            batch = train.images[rows]
            if self.settings.flip and self.objective.flips:
                flip = mirrored[rows][:, None, None, None]
                batch = np.where(flip, batch[:, :, ::-1], batch)
            total += self._step(*self.objective.batch(rows, batch)) * len(rows)
        return total / len(order), time.perf_counter() - start

    def _step(self, x: torch.Tensor, target: torch.Tensor) -> float:
        kind = torch.device(self.settings.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.settings.bf16):
            loss = self.objective.loss(self.module(x), target)
        value = float(loss.detach())
        if not np.isfinite(value):
            msg = f"training diverged: the loss is {value}; lower learning_rate"
            raise UserError(msg)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return value

    def save(self, path: Path, identity: str, history: list[tuple[float, float]]) -> None:
        """Write everything needed to go on after this epoch."""
        state = {
            "identity": identity,
            "history": history,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path, identity: str) -> list[tuple[float, float]]:
        """Load a checkpoint if there is one; returns (loss, seconds) of the epochs done."""
        if not path.is_file():
            return []
        try:
            state = torch.load(path, map_location=self.settings.device, weights_only=True)
            found = state["identity"]
        except Exception as error:
            msg = f"checkpoint {path} is damaged ({type(error).__name__}); delete it and run again"
            raise UserError(msg) from error
        if found != identity:
            _log.warning("%s belongs to another training run: starting afresh", path)
            return []
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        return [(loss, seconds) for loss, seconds in state["history"]]


def evaluate(
    model: LoadedModel | nn.Module,
    dataset: LabelledImages,
    *,
    input: InputSpec | None = None,
    device: str = "cpu",
) -> float:
    """Share of `dataset` whose largest logit is at its label.

    `input` is needed when `model` is a bare module; a `LoadedModel` brings its own.
    """
    module = model.module if isinstance(model, LoadedModel) else model
    view = input or (model.input if isinstance(model, LoadedModel) else InputSpec())
    if len(dataset.labels) == 0:
        raise UserError("the evaluation set has no images")
    objective = Classify(view, dataset.labels, device)
    return objective.accuracy(module.to(device), dataset.images, dataset.labels)
