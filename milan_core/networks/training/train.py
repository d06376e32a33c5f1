"""Training the embedded target networks: seeded, resumable, the same bytes every time.

AdamW with a one-cycle schedule. The result is the network after the last epoch, by definition: the
schedule ends at a learning rate near zero, so there is no "best" epoch to go back to, and no
held-out data is spent on choosing one.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, text_hash, write_bytes
from milan_core.core.optimizers import adamw
from milan_core.core.seeding import generator, seed_torch
from milan_core.networks.calling import forward
from milan_core.networks.factories import build
from milan_core.networks.options import Architecture, InputSpec
from milan_core.networks.training.layouts import train_plainly
from milan_core.networks.training.objectives import Classify, Objective
from milan_core.networks.version import source_version
from milan_core.networks.weight_options import TrainSettings

_log = logging.getLogger(__name__)

History = list[tuple[float, float]]  # (mean loss, seconds) of each epoch


class LabelledImages(Protocol):
    """The part of `milan_core.images.store.Dataset` that training needs."""

    images: np.ndarray  # uint8 (N, H, W, 3)
    labels: np.ndarray  # int (N,)

    @property
    def fingerprint(self) -> str:
        """Digest of the content."""
        ...


@dataclass(frozen=True)
class Resume:
    """The file of the state after each epoch, from which a killed training goes on."""

    path: Path
    code: str = ""  # identity of the training code


def train_network(
    model: Architecture,
    train: LabelledImages,
    settings: TrainSettings,
    seed: int,
    objective: Objective,
    *,
    device: str = "cpu",
    resume: Resume | None = None,
) -> tuple[nn.Module, History]:
    """Train a network on an objective.

    A killed run resumes from its checkpoint and ends with the same bytes as one that was not
    killed. A checkpoint of another network (`networks.version.source_version`), data set, seed,
    setting, objective or `resume.code` is not used, with a line in the log. The caller removes it
    when the weights are written. Bytes are equal for equal torch version, machine type and thread
    count.

    Returns:
        The trained network in eval mode, and the history.

    Raises:
        UserError: for an empty training set, a damaged checkpoint, or a loss that diverges.

    """
    if len(train.labels) == 0:
        raise UserError("the training set has no images")
    with torch.random.fork_rng(devices=[]), _deterministic():
        seed_torch(seed, "initial weights")
        run = _Run(build(model).eval(), settings, objective, len(train.labels), device)
        identity = _identity(model, train, settings, device, seed, objective, resume)
        history = run.resume(resume.path, identity) if resume else []
        for epoch in range(len(history), settings.epochs):
            history.append(run.epoch(train, epoch, seed))
            if resume:
                run.save(resume.path, identity, history)
    return run.module.eval(), history


def _identity(
    model: Architecture,
    train: LabelledImages,
    settings: TrainSettings,
    device: str,
    seed: int,
    objective: Objective,
    resume: Resume | None,
) -> str:
    """Digest of everything that a checkpoint must agree on."""
    facts = [model.model_dump(mode="json"), train.fingerprint, settings.model_dump(), device, seed]
    facts += [objective.identity, source_version(model), resume.code if resume else ""]
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
    """Network, optimizer and schedule of one training run."""

    def __init__(
        self,
        module: nn.Module,
        settings: TrainSettings,
        objective: Objective,
        images: int,
        device: str,
    ) -> None:
        self.settings = settings
        self.objective = objective
        self.device = device
        self.module = module.to(device)
        self.module.to(memory_format=torch.channels_last)
        train_plainly(self.module)
        self.optimizer = adamw(
            self.module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
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
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.settings.bf16):
            loss = self.objective.loss(forward(self.module, x), target)
        value = float(loss.detach())
        if not np.isfinite(value):
            msg = f"training diverged: the loss is {value}; lower learning_rate"
            raise UserError(msg)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return value

    def save(self, path: Path, identity: str, history: History) -> None:
        """Write everything needed to go on after this epoch, behind its SHA-256 (32 bytes)."""
        state = {
            "identity": identity,
            "history": history,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
        write_bytes(path, hashlib.sha256(data).digest() + data)

    def resume(self, path: Path, identity: str) -> History:
        """Load a checkpoint if there is one; returns (loss, seconds) of the epochs done."""
        if not path.is_file():
            return []
        stored = path.read_bytes()
        digest, data = stored[:32], stored[32:]
        if hashlib.sha256(data).digest() != digest:
            raise UserError(f"checkpoint {path} is damaged; delete it and run again")
        state = torch.load(io.BytesIO(data), map_location=self.device, weights_only=True)
        saved = state["identity"]
        if saved != identity:
            _log.warning("%s belongs to another training run: starting again", path)
            return []
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        return [(loss, seconds) for loss, seconds in state["history"]]


def evaluate(
    module: nn.Module, dataset: LabelledImages, view: InputSpec, device: str = "cpu"
) -> float:
    """Share of `dataset` whose largest logit is at its label."""
    if len(dataset.labels) == 0:
        raise UserError("the evaluation set has no images")
    objective = Classify(view, dataset.labels, device)
    return objective.accuracy(module.to(device), dataset.images, dataset.labels)
