"""Read a configuration: its sections, what they need of each other, and the files they name."""

from __future__ import annotations

from typing import Any

from milan_core.captioner.plan import check_decoding
from milan_core.config import Config, built_in_networks, parse_sections
from milan_core.core.errors import UserError, unknown
from milan_core.describers.plan import check_labels, check_variants
from milan_core.experiments.analyze.plan import check_analysis
from milan_core.experiments.audit.plan import check_audit
from milan_core.experiments.decoding.plan import check_studied
from milan_core.experiments.edit.plan import check_edit, references
from milan_core.experiments.generalization.plan import check_generalization
from milan_core.images.fetch.plan import check_assets
from milan_core.images.plan import check_datasets
from milan_core.networks.plan import check_weights
from milan_core.plan.missing import check_present
from milan_core.plan.needed import needed_models, used_assets
from milan_core.plan.splits import KINDS, annotation_sets, splits


def read_config(raw: dict[str, Any]) -> Config:
    """A configuration that can run: `parse_config`, and every file that no job brings is there.

    The Snakefile and `milan check` both read configurations with this function.

    Raises:
        UserError: one sentence per mistake, or one that lists everything that is missing.

    """
    config = parse_config(raw)
    check_files(config)
    return config


def check_files(config: Config) -> None:
    """Refuse a configuration that names files which are not there and which no job brings."""
    check_variants(config)
    models = [*needed_models(config), config.encoder.model, *references(config)]
    check_present(config, models, annotation_sets(config), used_assets(config))


def parse_config(raw: dict[str, Any]) -> Config:
    """A configuration whose sections are sound and fit together; no file is looked at.

    Raises:
        UserError: one sentence per mistake.

    """
    config = parse_sections(raw)
    check_names(config)
    check_audit(config)
    check_edit(config)
    check_assets(config, used_assets(config))
    _check_splits(config)
    return config


def check_names(config: Config) -> None:
    """Refuse names that do not exist and choices that cannot go together; raises `UserError`."""
    for key, chosen in (("models", config.models), ("corpus", config.corpus)):
        for name in chosen:
            if name not in config.model_zoo and name not in config.annotation_sets:
                names = {*built_in_networks(), *config.model_zoo, *config.annotation_sets}
                raise unknown("model", name, names, f"config: {key}")
    if both := sorted(set(config.model_zoo) & set(config.annotation_sets)):
        raise UserError(
            f"config: {both[0]!r} is in model_zoo and in annotation_sets; their results would have "
            "the same place, so rename one of them"
        )
    if config.encoder.model not in config.model_zoo:
        raise unknown("model", config.encoder.model, config.model_zoo, "config: encoder.model")
    if config.model_zoo[config.encoder.model].dtype != "float32":
        raise UserError(
            f"config: encoder.model: {config.encoder.model!r} has dtype bfloat16, in which only "
            "mining runs; add a second entry of it in float32"
        )
    for name, model in config.model_zoo.items():
        if not model.layers and not model.directions:
            where = f"config: model_zoo.{name}"
            raise UserError(f"{where}: neither layers nor directions are given; list some layers")
    check_weights(config)
    check_datasets(config)
    check_decoding(config)
    for name in (name for name in config.corpus if name in config.model_zoo):
        images = config.dataset_zoo[config.model_zoo[name].dataset]
        if not images.has_truth:
            raise UserError(
                f"config: corpus: {name!r} is probed with {images.kind!r} images, which have no "
                "ground truth for the programmatic annotators; take it out of corpus"
            )
    check_studied(config)
    check_generalization(config)
    for key in ("models", "corpus"):
        names = getattr(config, key)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"config: {key}: {', '.join(twice)} is listed twice; list it once")
    for name in config.models:
        if not set(config.corpus) - {name}:
            raise UserError(
                f"config: corpus: {name!r} needs annotated networks or sets other than itself to "
                f"be described by, got {list(config.corpus)}"
            )
    check_labels(config)
    check_analysis(config)


def _check_splits(config: Config) -> None:
    """Refuse names of splits that no choice of `models` would have: overlays may choose fewer."""
    names = [*config.model_zoo, *config.annotation_sets]
    possible = ["all", *(f"{kind}_{name}" for name in names for kind in KINDS), *splits(config)]
    for key, given, known in (
        ("captioner.splits", config.captioner.splits, [*KINDS, *possible]),
        ("generalization.more_seeds", config.generalization.more_seeds, possible),
    ):
        for name in given:
            if name not in known:
                raise unknown("split", name, set(known), f"config: {key}")
