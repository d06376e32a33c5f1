"""The typed configuration: keys, types, defaults, descriptions and cross-checks in one place.

`milan config schema` generates `workflow/schemas/config.schema.yaml` from these classes, and a test
compares the two. Catalogs are dictionaries (`model_zoo`, `dataset_zoo`, `asset_zoo`), choices
are lists (`models`, `corpus`): Snakemake merges dictionaries of several config files and replaces
lists, so an overlay adds entries and chooses anew.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from milan_core.annotations.options import AnnotationSetSpec, expand_groups
from milan_core.captioner.features.options import EncoderSpec
from milan_core.captioner.options import CaptionerSpec
from milan_core.core.errors import reading
from milan_core.core.inputs import UserPath
from milan_core.core.options import Name, Section, parse
from milan_core.describers.abstention.options import AbstentionOptions
from milan_core.describers.listed.options import ListedDescriber
from milan_core.describers.options import DescribeSpec, VariantSpec
from milan_core.exemplars.options import ExemplarsSpec
from milan_core.experiments.analyze.options import AnalyzeSpec
from milan_core.experiments.audit.options import AuditSpec
from milan_core.experiments.baselines.options import BaselinesSpec
from milan_core.experiments.decoding.options import DecodingSpec
from milan_core.experiments.edit.options import EditSpec
from milan_core.experiments.generalization.options import GeneralizationSpec
from milan_core.images import catalog as images
from milan_core.images.fetch.options import Asset
from milan_core.images.spec import DatasetSpec
from milan_core.networks import catalog as networks
from milan_core.networks.known import known_networks
from milan_core.networks.options import ModelSpec
from milan_core.referee.options import RefereeSpec
from milan_core.world.catalog import world_datasets
from milan_core.world.twins import resolved_twin


class Roots(Section):
    """Folders that the rules write below; `<results>` and so on in the rules."""

    results: str = Field("results", description="Results")
    resources: str = Field("resources", description="Data packages, weights and data sets")
    logs: str = Field("logs", description="Logs of jobs")
    benchmarks: str = Field("benchmarks", description="Time and memory of jobs")

    @field_validator("*")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        """Refuse paths that rules or flags would misread."""
        if value.strip("/") in ("", ".") or value != value.strip() or value.startswith("-"):
            raise ValueError("give the path of a folder, such as results/first")
        if value.startswith("~"):
            raise ValueError("Snakemake takes ~ for a name; give the path of a folder in full")
        if value != posixpath.normpath(value):  # Snakemake takes x/ and x for two folders
            raise ValueError(f"give the path of a folder in short: {posixpath.normpath(value)}")
        if any(letter in "{}" or not letter.isprintable() for letter in value):
            raise ValueError("a path without braces, which are wildcards, and control characters")
        return value


class Shards(Section):
    """Jobs that share the work of one result; any number gives the same bytes.

    Shards of the mining are `exemplars.shards` and `exemplars.unit_shards`.
    """

    features: int = Field(
        1, ge=1, description="Jobs that encode a network's exemplars (`encoder.maps: passing`)"
    )
    describe: int = Field(1, ge=1, description="Jobs that describe the units of a network")
    score: int = Field(1, ge=1, description="Jobs that score what was said of a network")
    analyze: int = Field(1, ge=1, description="Jobs that ablate a network's units")


class Config(Section):
    """Everything that a run depends on; machines and their sizes belong to profiles."""

    seed: int = Field(0, description="Seed of everything that is not seeded by name")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where networks run")
    reproducible: bool = Field(
        False,
        description="Hold libraries to one kind of kernel, for results that depend less on the "
        "machine, at up to twice the time",
    )
    models: list[Name] = Field(
        min_length=1,
        description="Networks to describe, and annotation sets (or published groups of them) whose "
        "units are described from their own exemplars",
    )
    corpus: list[Name] = Field(
        description="Annotated networks and annotation sets (or published groups of them) that "
        "captioners learn from"
    )
    asset_zoo: dict[Name, Asset] = Field({}, description="Further assets, beside the built-in ones")
    dataset_zoo: dict[Name, DatasetSpec] = Field(
        {}, description="Data sets by name, beside the built-in ones"
    )
    model_zoo: dict[Name, ModelSpec] = Field(
        {}, description="Networks by name, beside the built-in ones"
    )
    annotation_sets: dict[Name, AnnotationSetSpec] = Field(
        {}, description="Sets of exemplars and texts from files, by name"
    )
    exemplars: ExemplarsSpec = Field(ExemplarsSpec(), description="Mining")
    encoder: EncoderSpec = Field(description="Feature encoder of the captioner")
    captioner: CaptionerSpec = Field(CaptionerSpec(), description="Captioner and language model")
    describe: DescribeSpec = Field(DescribeSpec(), description="Decoding, and whose texts count")
    analyze: AnalyzeSpec = Field(AnalyzeSpec(), description="Analysis by ablation")
    generalization: GeneralizationSpec = Field(GeneralizationSpec(), description="Scores")
    baselines: BaselinesSpec = Field(BaselinesSpec(), description="Other methods (Table 2)")
    decoding: DecodingSpec = Field(DecodingSpec(), description="Decoding strategies compared")
    variants: dict[Name, VariantSpec] = Field(
        {}, description="Descriptions by other captioners, priors and re-rankers"
    )
    describers: dict[Name, ListedDescriber] = Field(
        {}, description="Further describers, your own too, scored beside the others"
    )
    audit: AuditSpec | None = Field(None, description="Units that match a query; null: no audit")
    referee: RefereeSpec = Field(RefereeSpec(), description="Held-out scores of descriptions")
    abstention: AbstentionOptions = Field(
        AbstentionOptions(), description="When a unit has no reliable description"
    )
    edit: EditSpec | None = Field(None, description="Removal of spurious units; null: no editing")
    notice: str = Field("", description="One line printed on every page: what this run is")
    trained: UserPath | None = Field(
        None,
        description="Results folder of a finished run whose trained networks and captioners are "
        "used, read-only; null: all is trained here",
    )
    shards: Shards = Field(
        Shards(), description="Jobs that share a result; finished parts of another number stay"
    )
    pathvars: Roots = Field(Roots(), description="Roots of results, resources, logs, benchmarks")


def parse_sections(raw: dict[str, Any]) -> Config:
    """Check types, keys and values of every section; `plan.checks.parse_config` checks the whole.

    Raises `UserError` with one sentence per mistake.
    """
    with reading("config", "a configuration", "see config/README.md for its sections"):
        spelled_out = with_built_in(expand_groups(raw))
    config = parse(Config, spelled_out, "config")
    zoo = {name: resolved_twin(name, config.dataset_zoo) for name in config.dataset_zoo}
    return config.model_copy(update={"dataset_zoo": zoo})


def built_in_networks() -> dict[str, dict[str, Any]]:
    """Networks that need no entry: those of the embedded world, and the published ones."""
    return known_networks()


def built_in_datasets() -> dict[str, dict[str, Any]]:
    """Data sets that need no entry: those of the embedded world, and the published ones."""
    return {**world_datasets(), **images.published_datasets()}


def with_built_in(raw: dict[str, Any]) -> dict[str, Any]:
    """`raw` with every built-in network and data set that something names; entries spelled out."""
    models, data = raw.get("model_zoo") or {}, raw.get("dataset_zoo") or {}
    if not isinstance(models, Mapping) or not isinstance(data, Mapping):
        return raw
    nets, sets = built_in_networks(), built_in_datasets()
    models, data = networks.spelt_out(models, nets), images.spelt_out(data, sets)
    sections = [value for key, value in raw.items() if not str(key).endswith("_zoo")]
    while True:
        names = set(_texts([sections, *models.values(), *data.values()]))
        more_models = [name for name in nets if name in names and name not in models]
        more_data = [name for name in sets if name in names and name not in data]
        if not more_models and not more_data:
            return {**raw, "model_zoo": models, "dataset_zoo": data}
        models |= {name: networks.extended(nets[name], {}, nets) for name in more_models}
        data |= {name: sets[name] for name in more_data}


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from map(str, value)
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def schema() -> dict[str, Any]:
    """The JSON schema of the configuration, for editors, Snakemake and the catalog."""
    result = Config.model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return result
