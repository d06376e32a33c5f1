"""Train one of the embedded networks as its configuration says, and judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.images.store import Dataset
from milan_core.networks.generators.codes import scene_codes, vocabulary
from milan_core.networks.inputs import InputSpec
from milan_core.networks.training.objectives import Classify, Distil, Draw, Figures, Objective
from milan_core.networks.training.train import TrainSettings, train_network
from milan_core.networks.zoo import load_network

SETTINGS = ("epochs", "batch_size", "learning_rate")


def learn(
    model: Mapping[str, Any],
    train: Dataset,
    tests: Sequence[Dataset],
    *,
    seed: int,
    device: str,
    out: Path,
    code: str = "",
) -> Figures:
    """Train `model` (factory, kwargs, input, weights) on `train`; returns figures on `tests`.

    `weights.objective` is `classify`, `distil` (with `teacher`, the spec of a network with one
    layer, and `teacher_size`) or `draw`. `weights.count` limits the images that are learnt from.
    """
    spec = {key: model[key] for key in ("factory", "kwargs", "input")}
    weights = model["weights"]
    settings = TrainSettings.from_mapping(
        {**{key: weights[key] for key in SETTINGS if key in weights}, "device": device}
    )
    images = FirstImages(train, weights.get("count") or len(train))
    objective, meta = _objective(model, images, tests, device)
    module = train_network(spec, images, settings, seed, out, objective, code, meta)
    return objective.figures(module, tests)


class FirstImages:
    """The first images of a data set: scenes do not depend on their number, so any part is fair."""

    def __init__(self, dataset: Dataset, count: int) -> None:
        if count > len(dataset):
            raise UserError(
                f"weights.count is {count}, but data set {dataset.name!r} has {len(dataset)} images"
            )
        self.dataset, self.name = dataset, dataset.name
        self.images, self.labels = dataset.images[:count], dataset.labels[:count]

    @property
    def fingerprint(self) -> str:
        """Digest of the content."""
        return f"{self.dataset.fingerprint}:{len(self.labels)}"


def _objective(
    model: Mapping[str, Any], train: FirstImages, tests: Sequence[Dataset], device: str
) -> tuple[Objective, dict[str, Any]]:
    view = InputSpec.from_mapping(model["input"])
    weights = model["weights"]
    kind = weights.get("objective", "classify")
    if kind == "classify":
        if train.labels.min() < 0:
            raise UserError(f"data set {train.name!r} has images without a label to learn")
        return Classify(view, train.labels, device), {}
    if kind == "distil":
        teacher = load_network(weights["teacher"])
        grid = int(model["kwargs"]["grid"])
        size = int(weights.get("teacher_size") or teacher.input.size or train.images.shape[1])
        return Distil(view, teacher, train, size, grid, device), {}
    names, colours = vocabulary(train.dataset)
    kwargs = model["kwargs"]
    if (kwargs["names"], kwargs["colours"]) != (len(names), len(colours)):
        raise UserError(
            f"kwargs: names {kwargs['names']} and colours {kwargs['colours']} do not fit data set "
            f"{train.name!r}, which has {len(names)} and {len(colours)}; give those"
        )
    codes = scene_codes(train.dataset, names, colours)[: len(train.labels)]
    held_out = {test.name: scene_codes(test, names, colours) for test in tests}
    return Draw(codes, held_out, device), {"names": names, "colours": colours}
