"""The typed configuration: keys, types, defaults, descriptions and cross-checks in one place.

`milan config schema` generates `workflow/schemas/config.schema.yaml` from these classes, and a test
compares the two. Catalogues are dictionaries (`model_zoo`, `dataset_zoo`, `asset_zoo`), choices
are lists (`models`, `corpus`): Snakemake merges dictionaries of several config files and replaces
lists, so an overlay adds entries and chooses anew.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from milan_core.annotations.options import AnnotationSetSpec, expand_groups
from milan_core.captioner.features.options import EncoderSpec
from milan_core.captioner.options import CaptionerSpec, DescribeSpec
from milan_core.config.checks import check_names
from milan_core.core.errors import UserError, nearest
from milan_core.core.options import Name, Section
from milan_core.describers.variant_options import VariantSpec
from milan_core.exemplars.options import Exemplars
from milan_core.experiments.analyze.options import AnalyzeSpec
from milan_core.experiments.audit.options import AuditSpec, check_audit
from milan_core.experiments.baselines.options import BaselinesSpec
from milan_core.experiments.decoding.options import RerankStudySpec
from milan_core.experiments.edit.options import EditSpec, check_edit
from milan_core.experiments.generalization.options import GeneralizationSpec
from milan_core.images.catalog import with_datasets
from milan_core.images.fetch.options import Asset
from milan_core.images.spec import DatasetSpec
from milan_core.networks.catalog import with_networks
from milan_core.networks.options import Direction, InputSpec, ModelSpec, Tokens, Weights
from milan_core.world.twins import resolve_twins

__all__ = [
    "AnalyzeSpec",
    "AnnotationSetSpec",
    "Asset",
    "AuditSpec",
    "BaselinesSpec",
    "CaptionerSpec",
    "Config",
    "DatasetSpec",
    "DescribeSpec",
    "Direction",
    "EditSpec",
    "EncoderSpec",
    "Exemplars",
    "GeneralizationSpec",
    "InputSpec",
    "ModelSpec",
    "RerankStudySpec",
    "Section",
    "Tokens",
    "VariantSpec",
    "Weights",
    "parse_config",
    "schema",
]


class Config(Section):
    """Everything that a run depends on; machines and their sizes belong to profiles."""

    seed: int = Field(0, description="Seed of everything that is not seeded by name")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where networks run")
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
    dataset_zoo: dict[Name, DatasetSpec] = Field(description="Data sets by name")
    model_zoo: dict[Name, ModelSpec] = Field(description="Networks by name")
    annotation_sets: dict[Name, AnnotationSetSpec] = Field(
        {}, description="Sets of exemplars and texts from files, by name"
    )
    exemplars: Exemplars = Field(Exemplars(), description="Mining")
    encoder: EncoderSpec = Field(description="Feature encoder of the captioner")
    captioner: CaptionerSpec = Field(CaptionerSpec(), description="Captioner and language model")
    describe: DescribeSpec = Field(DescribeSpec(), description="Decoding")
    analyze: AnalyzeSpec = Field(AnalyzeSpec(), description="Analysis by ablation")
    generalization: GeneralizationSpec = Field(GeneralizationSpec(), description="Scores")
    baselines: BaselinesSpec = Field(BaselinesSpec(), description="Other methods (Table 2)")
    rerank_study: RerankStudySpec = Field(
        RerankStudySpec(), description="Decoding strategies compared"
    )
    variants: dict[Name, VariantSpec] = Field(
        {}, description="Descriptions by other captioners, priors and re-rankers"
    )
    audit: AuditSpec | None = Field(None, description="Units that match a query; null: no audit")
    edit: EditSpec | None = Field(None, description="Removal of spurious units; null: no editing")
    notice: str = Field("", description="One line printed on every page: what this run is")
    pathvars: dict[str, str] = Field(
        {}, description="Roots of results, resources, logs, benchmarks"
    )


def parse_config(raw: dict[str, Any]) -> Config:
    """Check a configuration: types and names, then what one section needs of another.

    Raises `UserError` with one line per mistake.
    """
    try:
        config = Config.model_validate(with_datasets(with_networks(expand_groups(raw))))
    except ValidationError as error:
        raise UserError("; ".join(_sentence(item) for item in error.errors())) from None
    config = config.model_copy(update={"dataset_zoo": resolve_twins(config.dataset_zoo)})
    check_names(config)
    check_audit(config)
    check_edit(config)
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
        if field is not None:  # else a name inside a catalogue
            section = _section_of(field.annotation)
    return list(getattr(section, "model_fields", {}))


def _section_of(annotation: Any) -> Any:
    """The section class inside an annotation such as `dict[Name, ModelSpec]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section_of, get_args(annotation))), None)


def schema() -> dict[str, Any]:
    """The JSON schema of the configuration, for editors, Snakemake and the catalogue."""
    result = Config.model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return result
