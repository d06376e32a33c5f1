"""The typed configuration: keys, types, defaults, descriptions and cross-checks in one place.

`milan config schema` generates `workflow/schemas/config.schema.yaml` from these classes, and a test
compares the two. Catalogues are dictionaries (`model_zoo`, `dataset_zoo`, `asset_zoo`), choices
are lists (`models`, `corpus`): Snakemake merges dictionaries of several config files and replaces
lists, so an overlay adds entries and chooses anew.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milan_core.errors import UserError, nearest, unknown

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


class Exemplars(Section):
    """Mining of the top-activating images and regions (paper section 3.1)."""

    k: int = Field(15, ge=1, description="Exemplars per unit")
    quantile: float = Field(0.99, gt=0, lt=1, description="Quantile of the unit's own activations")
    shards: int = Field(1, ge=1, description="Jobs that share the probe set; changing it re-scans")


class EncoderSpec(Section):
    """The frozen network whose masked features the captioner reads (paper section 3.2)."""

    model: Name = Field(description="Entry of model_zoo")
    layers: list[str] = Field(min_length=1, description="Layers of the pyramid")
    append_area: bool = Field(True, description="Add the mask's area as one more feature")


class CaptionerSpec(Section):
    """Captioner p(d|E) and language model p(d): sizes and training (spec 4.3 to 4.5)."""

    embedding: int = Field(128, ge=1, description="Captioner: word vector length")
    hidden: int = Field(512, ge=1, description="Captioner: LSTM state length")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout of both models")
    lm_embedding: int = Field(128, ge=1, description="Language model: word vector length")
    lm_hidden: int = Field(512, ge=1, description="Language model: LSTM state length")
    batch: int = Field(64, ge=1, description="Captioner: captions per step")
    lm_batch: int = Field(128, ge=1, description="Language model: captions per step")
    lr: float = Field(1e-3, gt=0, description="AdamW learning rate")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW weight decay")
    max_epochs: int = Field(100, ge=1, description="Longest training")
    patience: int = Field(4, ge=0, description="Stop after more than this many epochs without gain")
    hold_out: float = Field(0.1, gt=0, lt=1, description="Share of units kept for early stopping")
    stop_on: Literal["bleu", "loss"] = Field("bleu", description="What early stopping watches")
    standardise: bool = Field(True, description="Standardise features by the training units")
    splits: dict[str, Any] = Field(
        {}, description="Settings of this section for splits, by name, or for all `within` ones"
    )


class DescribeSpec(Section):
    """Decoding (paper section 3.4): beam search, then re-ranking by weighted PMI."""

    temperature: float = Field(0.2, ge=0, description="lambda of log p(d|E) - lambda log p(d)")
    beam_size: int = Field(50, ge=1, description="Beams")
    length: int = Field(15, ge=1, description="Longest description in tokens, stop included")


class GeneralizationSpec(Section):
    """Which captioners are trained and how their descriptions are scored."""

    seeds: list[int] = Field([0], min_length=1, description="Trials of every split")
    more_seeds: dict[str, list[int]] = Field({}, description="Further trials of single splits")
    within_test: float = Field(
        0.2, gt=0, lt=1, description="Share of units tested within a network"
    )
    lambdas: list[float] = Field(
        [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0], description="Values compared on the same beams"
    )
    bertscore: Name | None = Field(
        None, description="Asset with the text encoder; null leaves it out"
    )
    bertscore_layer: int = Field(5, ge=0, description="Layer of the text encoder")
    bootstrap: int = Field(1000, ge=100, description="Resamples of the units for intervals")


class Config(Section):
    """Everything that a run depends on; machines and their sizes belong to profiles."""

    seed: int = Field(0, description="Seed of everything that is not seeded by name")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where networks run")
    models: list[Name] = Field(min_length=1, description="Networks to describe")
    corpus: list[Name] = Field(description="Annotated networks that captioners learn from")
    asset_zoo: dict[Name, Asset] = Field({}, description="Further assets, beside the built-in ones")
    dataset_zoo: dict[Name, DatasetSpec] = Field(description="Data sets by name")
    model_zoo: dict[Name, ModelSpec] = Field(description="Networks by name")
    exemplars: Exemplars = Field(Exemplars(), description="Mining")
    encoder: EncoderSpec = Field(description="Feature encoder of the captioner")
    captioner: CaptionerSpec = Field(CaptionerSpec(), description="Captioner and language model")
    describe: DescribeSpec = Field(DescribeSpec(), description="Decoding")
    generalization: GeneralizationSpec = Field(GeneralizationSpec(), description="Scores")
    notice: str = Field("", description="One line printed on every page: what this run is")
    pathvars: dict[str, str] = Field(
        {}, description="Roots of results, resources, logs, benchmarks"
    )


def parse_config(raw: dict[str, Any]) -> Config:
    """Check a configuration: types and names, then what one section needs of another.

    Raises `UserError` with one line per mistake.
    """
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise UserError("; ".join(_sentence(item) for item in error.errors())) from None
    _check_names(config)
    return config


def _sentence(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = _known_keys(item["loc"][:-1])
        close = nearest(str(item["loc"][-1]), known)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return f"config: {where}: unknown key{hint}"
    got = "" if item["type"] == "missing" else f", got {item['input']!r}"
    return f"config: {where}: {item['msg'].lower()}{got}"


def _known_keys(path: tuple[Any, ...]) -> list[str]:
    section: Any = Config
    for part in path:
        field = getattr(section, "model_fields", {}).get(part)
        if field is None:
            continue  # a name inside a catalogue
        match = re.search(r"milan_core\.config\.(\w+)", str(field.annotation))
        section = globals()[match.group(1)] if match else field.annotation
    return list(getattr(section, "model_fields", {}))


def _check_names(config: Config) -> None:
    for key in ("models", "corpus"):
        for name in getattr(config, key):
            if name not in config.model_zoo:
                raise unknown("model", name, config.model_zoo, f"config: {key}")
    if config.encoder.model not in config.model_zoo:
        raise unknown("model", config.encoder.model, config.model_zoo, "config: encoder.model")
    for name, model in config.model_zoo.items():
        where = f"config: model_zoo.{name}"
        for dataset in filter(None, [model.dataset, model.weights.dataset, *model.weights.tests]):
            if dataset not in config.dataset_zoo:
                raise unknown("data set", dataset, config.dataset_zoo, where)
        _check_weights(where, model.weights)
    for name in config.corpus:
        kind = config.dataset_zoo[config.model_zoo[name].dataset].kind
        if kind not in ("stickers", "shapes"):
            raise UserError(
                f"config: corpus: {name!r} is probed with {kind!r} images, which have no ground "
                "truth for the programmatic annotators; take it out of corpus"
            )
    for key in ("models", "corpus"):
        names = getattr(config, key)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"config: {key}: {', '.join(twice)} is listed twice; list it once")
    for name in config.models:
        if not set(config.corpus) - {name}:
            raise UserError(
                f"config: corpus: {name!r} needs annotated networks other than itself to be "
                f"described by, got {list(config.corpus)}"
            )
    _check_seeds(config)


def _check_seeds(config: Config) -> None:
    """Two worlds of one kind with one seed would share scenes: tests would be training images."""
    seen: dict[tuple[str, int], str] = {}
    for name, spec in config.dataset_zoo.items():
        if spec.kind in ("stickers", "shapes"):
            other = seen.setdefault((spec.kind, spec.seed), name)
            if other != name:
                raise UserError(
                    f"config: dataset_zoo: {other!r} and {name!r} have the same seed {spec.seed} "
                    "and would share scenes; give each its own"
                )


def _check_weights(where: str, weights: Weights) -> None:
    needed = {"train": ["dataset"], "asset": ["asset", "path"], "file": ["path"], "factory": []}
    for key in needed[weights.source]:
        if getattr(weights, key) is None:
            raise UserError(f"{where}.weights: source {weights.source!r} needs the key {key!r}")


def schema() -> dict[str, Any]:
    """The JSON schema of the configuration, for editors, Snakemake and the catalogue."""
    result = Config.model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return result
