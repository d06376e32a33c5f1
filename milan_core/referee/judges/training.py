"""Training of the mini judge on scenes of a known world.

The phrases are every form of the lexicon and every color with every noun; the label of a phrase in
a scene is whether the oracle sees it there. A phrase of a scene is judged by a noisy-or over
positions, so that no position needs a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from milan_core.captioner.features.options import JobEncoder
from milan_core.core.errors import UserError
from milan_core.core.seeding import seed_torch, torch_generator
from milan_core.images.store import Dataset
from milan_core.referee.judges.frozen import TextEncoder, grid_maps
from milan_core.referee.judges.maps import IMAGES, MOST, Maps, cell_means, summed_evidence
from milan_core.referee.judges.oracle import Scenes
from milan_core.referee.judges.reading import Leaf
from milan_core.referee.options import MiniTraining
from milan_core.world.concepts import LEAF_TIERS
from milan_core.world.lexicon import load_lexicon

if TYPE_CHECKING:
    import torch

    from milan_core.networks.zoo import LoadedModel

RARE = 0.001  # share of the scenes below which a phrase is not learned
MOMENTS = 500  # scenes from which the channels' means and deviations are taken
START = (2.3, -5.0)  # log of the scale, and bias


class Trained(NamedTuple):
    """A trained judge: its parts, facts for records, and what the chooser of names learns from."""

    maps: Maps
    facts: dict[str, Any]
    means: np.ndarray  # float32 [scenes, width], of the judge's vectors of each scene


class Phrases(NamedTuple):
    """Texts to learn from, and whether each scene shows them."""

    texts: list[str]
    labels: np.ndarray  # float32 [scenes, texts]


def phrases_of(dataset: Dataset, ids: np.ndarray) -> Phrases:
    """Phrases that are neither rare nor everywhere in these scenes, with their labels."""
    scenes = Scenes(dataset, ids)
    named = dict(_phrases(dataset.world_kind))
    labels = np.stack([scenes.presence(leaf) for leaf in named.values()], 1).astype(np.float32)
    share = labels.mean(0)
    kept = (share > RARE) & (share < 1)
    if not kept.any():
        raise UserError(
            f"mini judge: no phrase is in some of the {len(ids)} scenes of {dataset.name!r} and "
            "not in others; train it on more scenes"
        )
    return Phrases([text for text, keep in zip(named, kept, strict=True) if keep], labels[:, kept])


def _phrases(world: str) -> Sequence[tuple[str, Leaf]]:
    """Every form of the lexicon, every color, and every color with every noun."""
    lexicon = load_lexicon(world)
    names = [*lexicon.objects, "text", "face", *lexicon.surfaces, *lexicon.groups]
    out: list[tuple[str, Leaf]] = []
    for name in [*names, "object", "background"]:
        plural = lexicon.entry(name).plural
        out += [(form, Leaf(None, name)) for form in lexicon.accepted(name)]
        out += [(f"{color} {plural}", Leaf(color, name)) for color in lexicon.colours]
    for color in lexicon.colours:
        out += [(color, Leaf(color, None)), (f"{color} areas", Leaf(color, None))]
    return out


def train(
    network: LoadedModel,
    encoder: JobEncoder,
    texts: TextEncoder,
    dataset: Dataset,
    options: MiniTraining,
    seed: int,
) -> Trained:
    """Train on the first scenes of a data set.

    Raises:
        UserError: for images without ground truth, or too few scenes.

    """
    import torch

    from milan_core.networks.zoo import model_hash

    count = min(options.scenes, len(dataset))
    ids = np.arange(count)
    learned = phrases_of(dataset, ids)
    batches = list(grid_maps(network, encoder.layers, dataset.images, ids, options.grid))
    maps = [
        torch.cat([batch[place] for batch in batches]).half() for place in range(len(batches[0]))
    ]
    vectors = torch.from_numpy(texts.embed(learned.texts))
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed, "mini judge")
        model = _Model(maps, vectors.shape[1], options.width)
    loss = _fit(model, maps, vectors, torch.from_numpy(learned.labels), options, seed)
    facts = {
        "encoder_hash": model_hash(network.module),
        "grid": options.grid,
        "training": options.model_dump(mode="json"),
        "seed": seed,
        "dataset": dataset.fingerprint,
        "world": dataset.world_kind,
        "scenes": count,
        "phrases": len(learned.texts),
        "loss": round(loss, 6),
        "tiers": list(LEAF_TIERS),
    }
    trained = model.trained()
    return Trained(trained, facts, _means(trained, maps))


def _means(trained: Maps, maps: Sequence[torch.Tensor]) -> np.ndarray:
    """Means over the cells of the trained judge's vectors of the scenes: float32 [n, width]."""
    import torch

    parts = []
    with torch.inference_mode():
        for rows in torch.arange(len(maps[0])).split(IMAGES):
            parts.append(trained.of_images([part[rows].float() for part in maps]).half().numpy())
    return cell_means(np.concatenate(parts))


class _Model:
    """The parts of `Maps` while they are learned."""

    def __init__(self, maps: Sequence[torch.Tensor], text_width: int, width: int) -> None:
        import torch

        some = [part[:MOMENTS].float() for part in maps]
        self.mean = [part.mean((0, 1)) for part in some]
        self.deviation = [part.std((0, 1)) + 1e-4 for part in some]
        self.images = [torch.nn.Linear(part.shape[2], width) for part in maps]
        self.texts = torch.nn.Linear(text_width, width)
        self.log_scale = torch.nn.Parameter(torch.tensor(START[0]))
        self.bias = torch.nn.Parameter(torch.tensor(START[1]))

    def parameters(self) -> list[torch.nn.Parameter]:
        """Everything that is learned."""
        layers = [*self.images, self.texts]
        return [*(p for layer in layers for p in layer.parameters()), self.log_scale, self.bias]

    def current(self) -> Maps:
        """The parts as they are, with gradients; the sigmoid's are left to `logits`."""
        return Maps(
            self.mean,
            self.deviation,
            [layer.weight for layer in self.images],
            [layer.bias for layer in self.images],
            self.texts.weight,
            self.texts.bias,
            1.0,
            0.0,
        )

    def logits(self, maps: Sequence[torch.Tensor], vectors: torch.Tensor) -> torch.Tensor:
        """Logits of presence (b, T): log(exp(evidence) - 1) of the summed evidence."""
        import torch

        parts = self.current()
        cosines = parts.of_images(maps) @ parts.of_texts(vectors).T
        evidence = summed_evidence(self.log_scale.exp() * cosines + self.bias)
        return torch.log(torch.expm1(evidence.clamp(1e-6, MOST)))

    def trained(self) -> Maps:
        """The parts without gradients."""
        from dataclasses import replace

        parts = self.current()
        detached = {
            name: [part.detach() for part in getattr(parts, name)]
            for name in ("image_weight", "image_bias")
        }
        return replace(
            parts,
            **detached,
            text_weight=parts.text_weight.detach(),
            text_bias=parts.text_bias.detach(),
            scale=float(self.log_scale.detach().exp()),
            bias=float(self.bias.detach()),
        )


def _fit(
    model: _Model,
    maps: Sequence[torch.Tensor],
    vectors: torch.Tensor,
    labels: torch.Tensor,
    options: MiniTraining,
    seed: int,
) -> float:
    """Sigmoid loss over random scenes and phrases; returns its mean over the last 50 steps."""
    import torch
    from torch.nn import functional

    from milan_core.core.optimizers import adamw

    rng = torch_generator(seed, "mini judge batches")
    optimizer = adamw(model.parameters(), lr=options.rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, total_steps=options.steps
    )
    losses = []
    for _ in range(options.steps):
        rows = torch.randint(len(labels), (options.batch,), generator=rng)
        chosen = torch.randint(labels.shape[1], (options.batch,), generator=rng)
        logits = model.logits([part[rows].float() for part in maps], vectors[chosen])
        loss = functional.binary_cross_entropy_with_logits(logits, labels[rows][:, chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses[-50:]))
