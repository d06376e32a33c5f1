"""Table 2: every method on every held-out network, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_csv, read_json
from milan_core.core.numbers import mean_or_nan, number
from milan_core.core.options import parse
from milan_core.core.tables import Row, cell, grouped
from milan_core.experiments.baselines.methods import UNITS
from milan_core.experiments.baselines.names import rivals, table_order
from milan_core.experiments.baselines.options import MethodFacts
from milan_core.experiments.generalization.options import TrialFacts
from milan_core.experiments.generalization.tables import score_cells, summarize
from milan_core.experiments.generalization.trials import scores_of
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import BLEU_SHORT, SEQUENCE
from milan_core.scoring.scorer import (
    ACCURACY,
    BERT_AUC,
    BERT_F,
    FALSE_NAMES,
    LEAD,
    MAIN,
)
from milan_core.scoring.tables import Score, read_scores
from milan_core.scoring.verdicts import holm, over_trials

ALL = "all networks"
TABLE = ("model", "method", "trial", "metric", "value", "low", "high", "n", "p")
SUMMARY = ("model", "method", "metric", "trials", "mean", "std")
TABLE2 = (
    "model", "method", "trials", "n",
    BERT_F, "bert_low", "bert_high", "bert_lead", "bert_lead_low", "bert_lead_high",
    "bert_lead_p", "bert_lead_holm", BERT_AUC,
    ACCURACY, "accuracy_low", "accuracy_high",
    "accuracy_lead", "accuracy_lead_low", "accuracy_lead_high",
    "accuracy_lead_p", "accuracy_lead_holm", FALSE_NAMES, "mean_words",
    BLEU_SHORT, "bleu", "rouge-l-f", SEQUENCE, "passes",
)  # fmt: skip
NAMES = {BERT_F: "bert", ACCURACY: "accuracy"}
"""Prefixes of the columns of the two main metrics."""
PLAIN = (BERT_AUC, FALSE_NAMES, "mean_words", BLEU_SHORT, "bleu", "rouge-l-f", SEQUENCE)
"""Metrics that stand in the table without an interval."""


@dataclass(frozen=True)
class Trial:
    """One trial: its own scores and those of the other methods, and its rows of units.csv."""

    facts: TrialFacts
    scores: Sequence[Score]
    units: Sequence[Row]
    methods: MethodFacts


def read_trial(
    facts: TrialFacts, scores: Path, methods: Path, units: Path, facts_file: Path
) -> Trial:
    """Read the files of one trial: scores.csv of both steps, units.csv and facts.json."""
    both = [*scores_of(scores).values(), *read_scores(methods)]
    with reading(facts_file, "facts of a trial", "score its methods again"):
        found = read_json(facts_file, "facts of a trial")
        method_facts = parse(MethodFacts, found, f"{facts_file}")
    return Trial(facts, both, read_csv(units, UNITS), method_facts)


def long_tables(trials: Sequence[Trial]) -> tuple[list[list[object]], list[list[object]]]:
    """Rows of table.csv and summary.csv: every method of every trial."""
    scores = [(trial.facts, row) for trial in trials for row in trial.scores]
    table = [[facts.test, row.method, facts.seed, *score_cells(row)] for facts, row in scores]
    return table, summarize(
        ((facts.test, row.method, row.metric), row.value) for facts, row in scores
    )


def table2(trials: Sequence[Trial], bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Rows of Table 2, a row per network and method.

    Networks that were all probed with one set of images are also pooled, as `all networks`. p of
    PMI against the rival methods is adjusted over all networks and methods (Holm).

    Raises:
        UserError: trials of one network that was probed with different images.

    """
    manifests = check_manifests(trials)
    rows = network_rows(trials)
    for name in NAMES.values():
        compared = [row for row in rows if row["method"] in (*rivals(), *_variants(trials))]
        p_values = [number(row.get(f"{name}_lead_p", "")) for row in compared]
        for row, p in zip(compared, holm(p_values), strict=True):
            row[f"{name}_lead_holm"] = cell(p)
    if len(manifests) > 1 and len(set(manifests.values())) == 1:
        rows += pooled_rows(trials, bootstrap)
    return rows


def _variants(trials: Sequence[Trial]) -> list[str]:
    """Variants that some trial scores."""
    return list(dict.fromkeys(name for trial in trials for name in trial.methods.variants))


def _shown(trials: Sequence[Trial]) -> list[str]:
    """Methods in the order of the table, each once: a variant may have a place in it already."""
    return list(dict.fromkeys([*table_order(), *_variants(trials)]))


def check_manifests(trials: Sequence[Trial]) -> dict[str, str]:
    """The manifest that each network was probed with, one for all of its trials."""
    manifests: dict[str, str] = {}
    for trial in trials:
        test, manifest = trial.facts.test, trial.methods.manifest
        if manifests.setdefault(test, manifest) != manifest:
            raise UserError(
                f"baselines: {test!r} was probed with manifest {manifest} for split "
                f"{trial.facts.split!r}, in another trial with {manifests[test]}; results of "
                "different images are not compared, so make both trials again"
            )
    return manifests


def network_rows(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Rows of single networks: means over trials of values and interval ends."""
    rows: list[dict[str, Any]] = []
    for model, group in grouped(trials, lambda trial: trial.facts.test).items():
        scores = [row for trial in group for row in trial.scores]
        by_method = grouped(scores, lambda row: row.method)
        for method in [name for name in _shown(group) if name in by_method]:
            row = _network_row(model, method, by_method[method])
            shares = [trial.methods.passes.get(method) for trial in group]
            if kept := [share for share in shares if share is not None]:
                row["passes"] = float(np.mean(kept))
            rows.append(row)
    return rows


def _network_row(model: str, method: str, scores: Sequence[Score]) -> dict[str, Any]:
    metrics = grouped(scores, lambda row: row.metric)

    def mean(metric: str, field: str = "value") -> float | str:
        values = [getattr(row, field) for row in metrics.get(metric, ())]
        return cell(float(np.mean(values))) if values else ""

    first = next(iter(metrics.values()))
    row: dict[str, Any] = {"model": model, "method": method, "trials": len(first), "n": first[0].n}
    for metric, name in NAMES.items():
        row[metric] = mean(metric)
        row.update({f"{name}_{end}": mean(metric, end) for end in ("low", "high")})
        row[f"{name}_lead"] = mean(metric + LEAD)
        row.update({f"{name}_lead_{end}": mean(metric + LEAD, end) for end in ("low", "high")})
        row[f"{name}_lead_p"] = cell(over_trials([s.p for s in metrics.get(metric + LEAD, ())]))
    return {**row, **{metric: mean(metric) for metric in PLAIN}}


def pooled_rows(trials: Sequence[Trial], bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Rows over the units of all networks, values of a unit averaged over trials.

    Units of one concept are drawn together, whatever their network.
    """
    values, clusters = _unit_values(trials)
    count = len(values[MAIN])
    rows: list[dict[str, Any]] = []
    for method in [name for name in _shown(trials) if name in values]:
        row: dict[str, Any] = {"model": ALL, "method": method, "n": count}
        for place, (metric, name) in enumerate(((ACCURACY, "accuracy"), (BERT_F, "bert"))):
            ours, theirs = values[MAIN][:, place], values[method][:, place]
            kept = theirs[~np.isnan(theirs)]
            low, high = bootstrap.interval(theirs, metric, clusters=clusters)
            row[metric] = cell(mean_or_nan(kept))
            row.update({f"{name}_low": cell(low), f"{name}_high": cell(high)})
            if method != MAIN:
                p = bootstrap.p_value(ours, theirs, metric, clusters=clusters)
                lead = (*bootstrap.paired(ours, theirs, metric, clusters=clusters), p)
                names = (f"{name}_lead{end}" for end in ("", "_low", "_high", "_p"))
                row.update({name: cell(end) for name, end in zip(names, lead, strict=True)})
        rows.append(row)
    return rows


def _unit_values(trials: Sequence[Trial]) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
    """Concept accuracy and BERTScore F by method, float64 [units, 2], means over trials.

    Beside it the cluster of each unit, int64 [units]: its concept, or else its group. Methods that
    lack a unit are left out.
    """
    concepts: dict[tuple[str, str, str], str] = {}
    by_method: dict[str, dict[tuple[str, str, str], list[tuple[float, float]]]] = defaultdict(dict)
    for trial in trials:
        for row in trial.units:
            key = (trial.facts.test, row["layer"], row["unit"])
            group = f"{trial.facts.test}/{row['group']}" if row["group"] else "/".join(key)
            concepts[key] = row["concept"] or group
            pair = (number(row[ACCURACY]), number(row[BERT_F]))
            by_method[row["method"]].setdefault(key, []).append(pair)
    units = list(by_method[MAIN])
    values = {
        method: np.array([np.mean(by_unit[key], axis=0) for key in units])
        for method, by_unit in by_method.items()
        if by_unit.keys() == set(units)
    }
    return values, np.unique([concepts[key] for key in units], return_inverse=True)[1]
