"""Sources of a network's weights: one class each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from milan_core.core.addresses import Address
from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section


class FactoryWeights(Section):
    """Weights that the factory itself sets or loads."""

    source: Literal["factory"] = Field("factory", description="What the factory sets or loads")


class RandomWeights(Section):
    """Random weights, the same in every process."""

    source: Literal["random"] = Field(description="Random numbers")
    seed: int = Field(0, description="Seed of the random numbers")


class StoredWeights(Section):
    """The renaming of a file's tensors to those of the network, in the order of the keys."""

    convert: str | None = Field(
        None,
        description="Callable `package.module:name` or `file.py:name`: gets all that the file "
        "holds, returns a state dictionary",
    )
    entry: str | None = Field(
        None, description="Which of several state dictionaries in the file, such as model_ema"
    )
    drop: list[str] = Field([], description="Glob patterns of stored tensors to leave out")
    keys: dict[str, str] = Field(
        {}, description="Regular expressions in the names of stored tensors: their replacements"
    )
    match: Literal["names", "order"] = Field(
        "names", description="order: the n-th stored tensor is the network's n-th, by shape"
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{8,64}$", description="SHA-256 of the file, or its start"
    )


class FileWeights(StoredWeights):
    """A weights file of yours."""

    source: Literal["file"] = Field(description="A file of yours")
    path: InputPath = Field(description="Weights file: safetensors, a state dictionary, or npz")


class AssetWeights(StoredWeights):
    """A weights file inside an asset."""

    source: Literal["asset"] = Field(description="A file of an asset")
    asset: Name = Field(description="Name of the asset")
    path: str = Field(description="Path of the weights file in the asset")


class DownloadWeights(StoredWeights):
    """A published weights file, in <resources>/weights unless `path` names it."""

    source: Literal["download"] = Field(description="A published file")
    url: Address | None = Field(
        None, description="Where it is published; http, https, file or hf://"
    )
    mirrors: list[Address] = Field([], description="Further addresses of the same file")
    file: str | None = Field(
        None, description="Name in <resources>/weights; default: the end of the url"
    )
    path: InputPath | None = Field(None, description="A copy of yours; nothing is fetched")
    obtain: str | None = Field(None, description="Without url: how to get it by hand")

    @model_validator(mode="after")
    def _named(self) -> DownloadWeights:
        if not self.filename and not self.path:
            message = "source download needs the key url, file or path"
            raise ValueError(message)
        return self

    @property
    def filename(self) -> str:
        """The name of the file in <resources>/weights, without the query of its address."""
        return self.file or urlsplit(self.url or "").path.rpartition("/")[2]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the file, in the order they are tried."""
        return tuple(filter(None, [self.url, *self.mirrors]))

    @property
    def origin(self) -> str:
        """The page where people get the file."""
        return self.url or self.obtain or "no address is known"


class TrainSettings(Section):
    """Settings of the training of a network; the defaults are those of the embedded networks."""

    epochs: int = Field(5, ge=1, description="Passes over the data set")
    batch_size: int = Field(128, ge=1, description="Images per step")
    learning_rate: float = Field(3e-3, gt=0, description="Highest learning rate of the schedule")
    weight_decay: float = Field(1e-2, ge=0, description="Weight decay of AdamW")
    flip: bool = Field(False, description="Mirror each image with probability 1/2")
    bf16: bool = Field(
        False,
        description="Train in bfloat16: faster on some machines, but the bytes of the weights then "
        "depend more on the machine",
    )


class TrainWeights(TrainSettings):
    """Training here, on a data set of the run."""

    source: Literal["train"] = Field(description="Trained in this run")
    dataset: Name = Field(description="Data set to train on")
    tests: list[Name] = Field([], description="Data sets to report the accuracy on")
    count: int | None = Field(
        None, ge=1, description="Images of the data set to train on, from the first; null: all"
    )
    seed: int | None = Field(None, description="Seed of initial weights and order; null: the run's")

    @property
    def datasets(self) -> list[str]:
        """The data set to train on, then those that the accuracy is reported on."""
        return [self.dataset, *self.tests]


class ClassifyWeights(TrainWeights):
    """Training on labels."""

    objective: Literal["classify"] = Field("classify", description="Learn the labels")


class DistilWeights(TrainWeights):
    """Training on the feature maps of another network; no label is read."""

    objective: Literal["distil"] = Field(description="Learn the feature maps of another network")
    teacher: Name = Field(description="Network whose features are learned")
    teacher_layer: str = Field(description="Layer of the teacher")
    teacher_size: int | None = Field(
        None, ge=1, description="Input size for the teacher; null: its own"
    )


class DrawWeights(TrainWeights):
    """Training of a generator to draw images from scene codes."""

    objective: Literal["draw"] = Field(description="Learn to draw images from scene codes")


Training = Annotated[
    ClassifyWeights | DistilWeights | DrawWeights, Field(discriminator="objective")
]
Loadable = FileWeights | FactoryWeights | RandomWeights
AnyWeights = Training | AssetWeights | DownloadWeights | Loadable


def _classes(annotation: Any) -> Iterator[type[Section]]:
    for argument in get_args(annotation):
        if isinstance(argument, type) and issubclass(argument, Section):
            yield argument
        else:
            yield from _classes(argument)


KEYS = frozenset(key for cls in _classes(AnyWeights) for key in cls.model_fields)


def _complete(value: Any) -> Any:
    """Name the source and the objective where they are left out, and leave out keys that are null.

    Snakemake merges the keys of several files: null is how an overlay takes a key back.
    """
    if not isinstance(value, Mapping):
        return value
    given = {key: item for key, item in value.items() if item is not None or key not in KEYS}
    if given.setdefault("source", "factory") == "train":
        given.setdefault("objective", "classify")
    return given


Weights = Annotated[AnyWeights, Field(discriminator="source"), BeforeValidator(_complete)]
LoadableWeights = Annotated[Loadable, Field(discriminator="source"), BeforeValidator(_complete)]
