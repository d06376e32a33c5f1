"""Catalog entry of a network and of its weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from milan_core.core.errors import UserError
from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section
from milan_core.networks.axes import Axes
from milan_core.networks.weight_options import (
    FactoryWeights,
    LoadableWeights,
    TrainWeights,
    Weights,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # spec 2.1
IMAGENET_STD = (0.229, 0.224, 0.225)
Positive = Annotated[float, Field(gt=0)]


class InputSpec(Section):
    """The transform from stored data to the network's input."""

    kind: Literal["images", "latents"] = Field(
        "images", description="latents: the network is a generator and draws the images itself"
    )
    size: int | None = Field(
        224, ge=1, description="Side of the square input, pixels; null: as stored"
    )
    height: int | None = Field(None, ge=1, description="Of an input that is no square; with width")
    width: int | None = Field(None, ge=1, description="Of an input that is no square; with height")
    channels: int = Field(
        3,
        ge=1,
        le=4,
        description="3: RGB; 1: gray, 0.299 R + 0.587 G + 0.114 B; 4: RGB and an alpha of 1",
    )
    mean: tuple[float, ...] = Field(IMAGENET_MEAN, description="Mean per channel, of [0, 1]")
    std: tuple[Positive, ...] = Field(IMAGENET_STD, description="Deviation per channel, of [0, 1]")

    @model_validator(mode="after")
    def _fits(self) -> InputSpec:
        if (self.height is None) != (self.width is None):
            message = "height and width go together; for a square give size"
            raise ValueError(message)
        if self.channels == 2:
            message = "channels is 1 (gray), 3 (RGB) or 4 (RGB and alpha)"
            raise ValueError(message)
        for name in ("mean", "std"):
            numbers = getattr(self, name)
            if len(numbers) != self.channels:
                given = "has" if name in self.model_fields_set else "is ImageNet's, with"
                message = (
                    f"{name} {given} {len(numbers)} numbers, channels is {self.channels}; give one "
                    "number a channel"
                )
                raise ValueError(message)
        return self

    @model_serializer(mode="wrap")
    def _known_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys that hold their defaults where they were added after a first release."""
        values = dict(handler(self))
        for key, default in (("height", None), ("width", None), ("channels", 3)):
            if values.get(key) == default:
                values.pop(key, None)
        return values

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width of the input; None: as stored."""
        if self.height is not None and self.width is not None:
            return self.height, self.width
        return None if self.size is None else (self.size, self.size)

    def shape(self, usual: int = 224) -> tuple[int, int, int]:
        """Channels, height and width of one input; `usual` is the side where none is given."""
        return (self.channels, *(self.sides or (usual, usual)))

    def facts(self) -> dict[str, Any]:
        """Its values in records and digests; `kind` only where it is not `images`."""
        return self.model_dump(mode="json", exclude={"kind"} if self.kind == "images" else None)


class Tokens(Section):
    """The positions of a transformer's tokens on the image."""

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
    path: InputPath = Field(description="safetensors or npy file, matrix (units, channels)")
    matrix: str | None = Field(None, description="safetensors: name of the matrix")
    transpose: bool = Field(False, description="The matrix is stored as (channels, units)")
    bias: str | None = Field(None, description="safetensors: name of a vector (units,) to add")
    center: str | None = Field(
        None, description="safetensors: name of a vector (channels,) to subtract first"
    )
    relu: bool = Field(False, description="Rectify, as the encoder of a sparse autoencoder does")
    threshold: str | None = Field(
        None, description="safetensors: name of a vector (units,) or number; values not above are 0"
    )
    top_k: int | None = Field(
        None, ge=1, description="At each position only this many units of all keep their value"
    )
    dictionary: Literal["saev", "vit-prisma", "overcomplete", "dictionary_learning"] | None = Field(
        None, description="Library that named the tensors, in place of their names here"
    )
    normalise: bool = Field(False, description="Scale every direction to length 1")


class Architecture(Section):
    """The class and arguments of a network, without its weights."""

    factory: str = Field(
        min_length=1,
        description="`package.module:callable`, `path/to/file.py:callable`, `torchvision:NAME`, "
        "`timm:NAME`, `hf:REPOSITORY`, `torchscript:FILE` or `export:FILE`",
    )
    kwargs: dict[str, Any] = Field({}, description="Arguments of the factory")
    trust: bool = Field(False, description="torchscript, export: run the code inside the file")
    input: InputSpec = Field(InputSpec(), description="Input size and normalization")


class RunOptions(Section):
    """The settings of a network while it is mined."""

    batch_size: int = Field(64, ge=1, description="Images per forward pass")
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Products during mining; bfloat16 by torch's autocast"
    )
    compile: bool | str = Field(
        False, description="Mine through torch.compile, or through this backend of it"
    )


class NetworkSpec(Architecture, RunOptions):
    """The settings that build, load and run a network."""

    weights: Weights = Field(FactoryWeights(), description="Where the weights come from")
    layers: list[str] = Field(
        [], description="Names or glob patterns; @input, @relu, @call2 choose another hook"
    )
    post_relu: list[str] = Field([], description="Layers whose activation is taken after a ReLU")
    directions: dict[Name, Direction] = Field(
        {}, description="Directions as units: probes, dictionaries of sparse autoencoders"
    )
    units: int | None = Field(None, ge=1, description="Only the first units of every layer")
    tokens: Tokens = Field(Tokens(), description="Transformers: where tokens lie on the image")
    channels_last: bool = Field(
        False, description="Four-dimensional outputs are (b, h, w, C) where the probe cannot tell"
    )
    axes: dict[str, str] = Field(
        {},
        description="Axes of layers, by name or pattern, where the probe of the network cannot "
        "tell or is refused: 'b c h w', 't b c' (b images, c channels, t tokens, h w rows and "
        "columns), windows as '(b y x) (h w) c'",
    )

    @field_validator("axes")
    @classmethod
    def _named_axes(cls, axes: dict[str, str]) -> dict[str, str]:
        for layer, text in axes.items():
            try:
                Axes.parse(text, repr(layer))
            except UserError as error:
                raise ValueError(str(error)) from None
        return axes

    @model_serializer(mode="wrap")
    def _without_axes(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `axes` where it is empty: the key came after a first release."""
        values = dict(handler(self))
        if not values.get("axes", True):
            values.pop("axes")
        return values


class ModelSpec(NetworkSpec):
    """A network to describe: an entry of `model_zoo`."""

    extends: str | None = Field(None, description="Built-in network or entry to take keys from")
    dataset: Name = Field(description="Probe data set: the images that the units are shown")
    heldout: Name | None = Field(
        None,
        description="A second data set, whose images score the descriptions and that no describer "
        "sees; or `split`, `none`; null: as `exemplars.heldout`",
    )

    @property
    def training(self) -> TrainWeights | None:
        """The network's training in this run; None for weights from elsewhere."""
        return self.weights if isinstance(self.weights, TrainWeights) else None


class Network(NetworkSpec):
    """A network as a job reads it: its name in the catalog, its weights resolved to a file."""

    name: str = Field("", description="Name in the catalogue")
    weights: LoadableWeights = Field(FactoryWeights(), description="Weights to load")


class Entry(NetworkSpec):
    """An entry as people give it to commands and in Python; what only a run needs may be there."""

    name: str = Field("", description="Name, not used")
    dataset: str = Field("", description="Probe data set, not used")
    heldout: str | None = Field(None, description="Held-out data set, not used")
