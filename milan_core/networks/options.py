"""Catalogue entry of a network and of its weights."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from milan_core.core.options import Name, Section


class InputSpec(Section):
    """How stored data become the network's input."""

    kind: Literal["images", "latents"] = Field(
        "images", description="latents: the network is a generator and draws the images itself"
    )
    size: int = Field(224, ge=1, description="Side of the square input, pixels")
    mean: list[float] = Field([0.485, 0.456, 0.406], description="Mean per channel, of [0, 1]")
    std: list[float] = Field([0.229, 0.224, 0.225], description="Deviation per channel, of [0, 1]")


def weights_filename(file: str | None, url: str | None) -> str:
    """`file`, or the last part of an address; what follows `?` or `#` in it is no name."""
    return file or urlsplit(url or "").path.rpartition("/")[2]


class Weights(Section):
    """Where a network's weights come from."""

    source: Literal["train", "asset", "file", "download", "factory", "random"] = Field(
        "factory",
        description="train here, a file of an asset, a file of yours, a published file, "
        "what the factory loads, or random numbers",
    )
    asset: Name | None = Field(None, description="asset: name of the asset")
    path: str | None = Field(None, description="asset, file: path of the weights file")
    file: str | None = Field(
        None, description="download: name in <resources>/weights; default: the end of the url"
    )
    url: str | None = Field(
        None, description="download: where the file is published; http, https, file or hf://"
    )
    mirrors: list[str] = Field([], description="download: further addresses of the same file")
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{8,64}$", description="download: SHA-256 of the file, or its start"
    )
    obtain: str | None = Field(None, description="download without url: how to get it by hand")
    keys: dict[str, str] = Field(
        {}, description="Regular expressions in the names of stored tensors: their replacements"
    )
    drop: list[str] = Field([], description="Glob patterns of stored tensors to leave out")
    match: Literal["names", "order"] = Field(
        "names", description="order: the n-th stored tensor is the network's n-th, by shape"
    )
    convert: str | None = Field(
        None, description="`package.module:callable` that rewrites the stored tensors"
    )
    dataset: Name | None = Field(None, description="train: data set to train on")
    tests: list[Name] = Field([], description="train: data sets to report the accuracy on")
    objective: Literal["classify", "distil", "draw"] = Field(
        "classify",
        description="train: labels, the features of `teacher`, or images from scene codes",
    )
    teacher: Name | None = Field(None, description="train, distil: network to learn features of")
    teacher_layer: str | None = Field(None, description="train, distil: layer of the teacher")
    teacher_size: int | None = Field(
        None, ge=1, description="train, distil: input size for the teacher; null: its own"
    )
    count: int | None = Field(
        None, ge=1, description="train: images of the data set to learn from; null: all"
    )
    epochs: int = Field(5, ge=1, description="train: passes over the data set")
    batch_size: int = Field(128, ge=1, description="train: images per step")
    learning_rate: float = Field(3e-3, gt=0, description="train: highest learning rate")
    seed: int | None = Field(
        None,
        description="train: seed of initial weights and order, null takes the run's; random: seed "
        "of the random numbers, null is 0",
    )

    @property
    def filename(self) -> str:
        """download: the name of the file in <resources>/weights."""
        return weights_filename(self.file, self.url)

    @property
    def addresses(self) -> tuple[str, ...]:
        """download: where the file can be fetched, in order."""
        return tuple(filter(None, [self.url, *self.mirrors]))


class Tokens(Section):
    """How the tokens of a transformer lie on the image."""

    class_tokens: int | None = Field(
        None, ge=0, description="Tokens before the patches, kept apart; default: 0 or 1, by count"
    )
    grid: tuple[int, int] | None = Field(None, description="Rows, columns; default: a square")
    spatialise: Literal["fixed", "legacy"] = Field(
        "fixed", description="legacy: shifted by one token, as in the published ViT masks"
    )


class Direction(Section):
    """A matrix of directions in the space of a layer's channels: each row is a unit."""

    layer: str = Field(description="Layer whose activations are projected")
    path: str = Field(description="safetensors or npy file, matrix (units, channels)")
    matrix: str | None = Field(None, description="safetensors: name of the matrix")
    transpose: bool = Field(False, description="The matrix is stored as (channels, units)")
    bias: str | None = Field(None, description="safetensors: name of a vector (units,) to add")
    center: str | None = Field(
        None, description="safetensors: name of a vector (channels,) to subtract first"
    )
    relu: bool = Field(False, description="Rectify, as the encoder of a sparse autoencoder does")
    normalise: bool = Field(False, description="Scale every direction to length 1")


class NetworkSpec(Section):
    """How a network is built, loaded and run."""

    factory: str = Field(
        description="`package.module:callable`, `path/to/file.py:callable`, `torchvision:NAME`, "
        "`timm:NAME`, `hf:REPOSITORY`, `torchscript:FILE` or `export:FILE`"
    )
    kwargs: dict[str, Any] = Field({}, description="Arguments of the factory")
    trust: bool = Field(False, description="torchscript, export: run the code inside the file")
    weights: Weights = Field(Weights(), description="Where the weights come from")
    input: InputSpec = Field(InputSpec(), description="Input size and normalisation")
    layers: list[str] = Field(
        [], description="Names or glob patterns; @input, @relu, @call2 choose another hook"
    )
    post_relu: list[str] = Field([], description="Layers whose activation is taken after a ReLU")
    directions: dict[Name, Direction] = Field(
        {}, description="Directions as units: probes, dictionaries of sparse autoencoders"
    )
    units: int | None = Field(None, ge=1, description="Only the first units of every layer")
    tokens: Tokens = Field(Tokens(), description="Transformers: where tokens lie on the image")
    channels_last: bool = Field(False, description="Four-dimensional outputs are (b, h, w, C)")
    batch_size: int = Field(64, ge=1, description="Images per forward pass")
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Numbers that the network computes in while it is mined"
    )
    compile: bool = Field(False, description="Mine through torch.compile: needs a C++ compiler")


class ModelSpec(NetworkSpec):
    """A network to describe: an entry of `model_zoo`."""

    extends: str | None = Field(None, description="Built-in network or entry to take keys from")
    dataset: Name = Field(description="Probe data set: the images that the units are shown")


class Network(NetworkSpec):
    """A network as a job reads it: its name in the catalogue, its weights resolved to a file."""

    name: str = Field("", description="Name in the catalogue")
