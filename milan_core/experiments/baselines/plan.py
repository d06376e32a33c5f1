"""The trials that Table 2 compares, and the networks that are labeled for it."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.describers.plan import (
    further_tables,
    judge_labels,
    judge_reranks,
    label_dataset,
    label_names,
    pooled,
    varied,
)
from milan_core.experiments.baselines.options import Evidence
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN, TrialFacts
from milan_core.plan.splits import primary_split, seeds, trials


def compared(config: Config) -> list[TrialFacts]:
    """The trials of the table: networks held out, or within networks when none is."""
    every = trials(config)
    held_out = [trial for trial in every if trial.experiment == HELD_OUT]
    return held_out or [trial for trial in every if trial.experiment == WITHIN]


def labeled(config: Config) -> list[str]:
    """Networks that other methods label."""
    if not (label_names(config) or config.baselines.published):
        return []
    return [name for name in _tests(config) if name in config.model_zoo]


def labeled_sets(config: Config) -> list[str]:
    """Sets that the published programs labeled; exemplars alone tell other methods nothing."""
    known = config.baselines.published
    return [name for name in _tests(config) if name in config.annotation_sets and name in known]


def _tests(config: Config) -> list[str]:
    return list(dict.fromkeys(trial.test for trial in compared(config)))


def evidence(config: Config) -> Evidence:
    """The facts about labels and references in the table's text."""
    models = labeled(config)
    sources = sorted({label_dataset(config, model) for model in models})
    probes = {config.model_zoo[model].dataset for model in models}
    return Evidence(
        methods=label_names(config),
        labels=", ".join(sources),
        same_images=bool(probes & set(sources)),
        sets=[name for name in _tests(config) if name in config.annotation_sets],
        judged=_judged(config),
    )


def _judged(config: Config) -> list[str]:
    """Methods and variants that read the mini judge of the run."""
    there = dict.fromkeys(name for model, name in varied(config) if model in _tests(config))
    variants = [name for name in there if judge_reranks(config, name)]
    variants += ["pool"] if any(pooled(config, model) for model in networks(config)) else []
    return ["clip_dissect", *variants] if judge_labels(config) else variants


def compared_tables(config: Config, model: str, split: str, seed: int) -> dict[str, str]:
    """Further descriptions in the table of a trial, by its captioner: files below `<results>`.

    They are those of the variants, and what a judge chose among its beams.
    """
    first = primary_split(config, model)
    if split != first or seed != seeds(config, first)[0]:
        return {}
    return further_tables(config, model)
