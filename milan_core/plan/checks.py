"""Read a configuration: its sections, what they need of each other, and the files they name."""

from __future__ import annotations

from collections import Counter
from typing import Any

from milan_core.annotations.plan import check_annotations
from milan_core.captioner.features.plan import check_encoder
from milan_core.captioner.plan import check_captioner, trainings
from milan_core.config import Config, built_in_networks, parse_sections
from milan_core.core.errors import UserError, unknown
from milan_core.describers.listed.plan import check_listed
from milan_core.describers.plan import check_labels, check_pool, check_variants
from milan_core.exemplars.plan import check_heldout
from milan_core.experiments.analyze.plan import check_analysis
from milan_core.experiments.audit.plan import check_audit
from milan_core.experiments.decoding.plan import check_studied
from milan_core.experiments.edit.plan import check_edit, references
from milan_core.experiments.generalization.plan import check_generalization
from milan_core.images.fetch.plan import check_assets
from milan_core.images.plan import check_datasets
from milan_core.networks.plan import check_networks, fetched_weights
from milan_core.plan.missing import check_present
from milan_core.plan.needed import needed_models, used_assets
from milan_core.plan.splits import annotation_sets
from milan_core.plan.trained import check_trained
from milan_core.referee.plan import check_judges, check_referee

CHECKS = (
    check_encoder,
    check_networks,
    check_datasets,
    check_heldout,
    check_annotations,
    check_captioner,
    check_studied,
    check_generalization,
    check_labels,
    check_listed,
    check_pool,
    check_analysis,
    check_audit,
    check_edit,
    check_judges,
    check_referee,
)
"""Checks between sections; each raises `UserError`."""


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
    fetched_weights(config)
    models = [*needed_models(config), config.encoder.model, *references(config)]
    read = [name for name in dict.fromkeys(models) if config.model_zoo[name].training]
    check_trained(config, read, trainings(config))
    check_present(config, models, annotation_sets(config), used_assets(config))


def parse_config(raw: dict[str, Any]) -> Config:
    """A configuration whose sections are sound and fit together; no file is looked at.

    Raises:
        UserError: one sentence per mistake.

    """
    config = parse_sections(raw)
    check_device(config)
    check_entries(config)
    check_choices(config)
    for check in CHECKS:
        check(config)
    check_assets(config, used_assets(config))
    return config


def check_device(config: Config) -> None:
    """Refuse held kernels on a GPU, whose libraries offer none."""
    if config.reproducible and config.device != "cpu":
        raise UserError(
            f"config: reproducible is true with device {config.device}; kernels "
            "can be held on the cpu only: set device to cpu, or reproducible to false"
        )


# Folders below `<results>` that belong to steps; a network of such a name would share one.
RESERVED = {
    "encoder", "captioners", "generalization", "baselines", "controls", "decoding", "variants",
    "analyze", "audit", "edit", "report", "atlas", "quick", "referee", "judge",
    "abstention",
}  # fmt: skip


def check_entries(config: Config) -> None:
    """Refuse networks and annotation sets that are called like the folder of a step."""
    for section in ("model_zoo", "annotation_sets"):
        for name in getattr(config, section):
            if name in RESERVED:
                raise UserError(
                    f"config: {section}.{name}: a folder of this name has the results of a "
                    f"step; choose another name, such as {name}_net"
                )


def check_choices(config: Config) -> None:
    """Refuse entries of `models` and `corpus` that do not exist, or are listed twice."""
    for key, chosen in (("models", config.models), ("corpus", config.corpus)):
        for name in chosen:
            if name not in config.model_zoo and name not in config.annotation_sets:
                names = {*built_in_networks(), *config.model_zoo, *config.annotation_sets}
                raise unknown("model", name, names, f"config: {key}")
        if twice := sorted(name for name, count in Counter(chosen).items() if count > 1):
            raise UserError(f"config: {key}: {', '.join(twice)} is listed twice; list it once")
