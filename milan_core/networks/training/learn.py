"""Train one of the embedded networks as its configuration says, and judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.options import narrowed
from milan_core.images.store import Dataset
from milan_core.networks.generators.codes import scene_codes, vocabulary
from milan_core.networks.options import Architecture, Network
from milan_core.networks.training.objectives import Classify, Distil, Draw, Figures, Objective
from milan_core.networks.training.train import History, Resume, train_network
from milan_core.networks.weight_options import (
    ClassifyWeights,
    DistilWeights,
    TrainSettings,
    TrainWeights,
)
from milan_core.networks.zoo import load_network


@dataclass(frozen=True)
class Learned:
    """A trained network with its history, its figures on held-out data, and its metadata."""

    module: nn.Module  # in eval mode
    history: History
    figures: Figures
    meta: dict[str, object]


def learn(
    model: Architecture,
    weights: TrainWeights,
    train: Dataset,
    tests: Sequence[Dataset],
    *,
    teacher: Network | None = None,
    seed: int,
    device: str = "cpu",
    resume: Resume | None = None,
) -> Learned:
    """Train `model` on `train` and judge it on `tests`.

    Args:
        model: the network.
        weights: objective and settings.
        train: data set to train on.
        tests: data sets to report figures on.
        teacher: with the objective `distil`, a network with one layer.
        seed: of initial weights and order.
        device: where the network runs.
        resume: where the state after each epoch is kept.

    Raises:
        UserError: where data, network and objective do not fit.

    """
    images = FirstImages(train, weights.count or len(train))
    objective, codes = _objective(model, weights, images, tests, teacher, device)
    settings = narrowed(weights, TrainSettings)
    module, history = train_network(
        model, images, settings, seed, objective, device=device, resume=resume
    )
    meta = {
        "spec": model.model_dump(mode="json", include={"factory", "kwargs", "input"}),
        "settings": {**settings.model_dump(), "device": device},
        "seed": seed,
        **codes,
        "dataset": images.fingerprint,
    }
    return Learned(module, history, objective.figures(module, tests), meta)


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


def _check_classes(train: Dataset, test: Dataset) -> None:
    """Refuse a test set in which a class of the training set has another number.

    A folder that lacks a class of the other one counts the classes after it differently.
    """
    number = {name: place for place, name in enumerate(train.classes)}
    for place in sorted(set(test.labels.tolist()) - {-1}):
        name = test.classes[place]
        if number.get(name, place) != place:
            raise UserError(
                f"class {name!r} is number {place} of data set {test.name!r} and number "
                f"{number[name]} of {train.name!r}: accuracy would compare other classes; give "
                "both the same classes in the same order"
            )


def _objective(
    model: Architecture,
    weights: TrainWeights,
    train: FirstImages,
    tests: Sequence[Dataset],
    teacher: Network | None,
    device: str,
) -> tuple[Objective, dict[str, list[str]]]:
    """The objective, and the names and colors of scene codes where it reads them."""
    if isinstance(weights, ClassifyWeights):
        if train.labels.min() < 0:
            raise UserError(f"data set {train.name!r} has images without a label to learn")
        for test in tests:
            _check_classes(train.dataset, test)
        return Classify(model.input, train.labels, device), {}
    if isinstance(weights, DistilWeights):
        assert teacher is not None
        loaded = load_network(teacher)
        grid = int(model.kwargs["grid"])
        size = weights.teacher_size or loaded.input.size or int(train.images.shape[1])
        return Distil(model.input, loaded, train, size, grid, device), {}
    names, colours = vocabulary(train.dataset)
    kwargs = model.kwargs
    if (kwargs["names"], kwargs["colours"]) != (len(names), len(colours)):
        raise UserError(
            f"kwargs: names {kwargs['names']} and colours {kwargs['colours']} do not fit data set "
            f"{train.name!r}, which has {len(names)} and {len(colours)}; give those"
        )
    codes = scene_codes(train.dataset, names, colours)[: len(train.labels)]
    held_out = {test.name: scene_codes(test, names, colours) for test in tests}
    return Draw(codes, held_out, device), {"names": names, "colours": colours}
