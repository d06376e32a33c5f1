"""Table 2: every method on every held-out network, side by side, with what it says.

`write_comparison` joins the scores of all trials into `table.csv` (all figures), `summary.csv`
(mean and deviation over trials), `table2.csv` (one row per network and method), the figures, and
the section of the report.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.drawing import write_figure
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, read_json, write_csv
from milan_core.experiments.baselines.comparison import UNITS
from milan_core.experiments.generalization import tables
from milan_core.scoring import figures
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.scores import ACCURACY, BERT_F, MAIN, cell, number

ALL = "all networks"
TABLE2 = (
    "model", "method", "trials", "n",
    BERT_F, "bert_low", "bert_high", "bert_lead", "bert_lead_low", "bert_lead_high",
    ACCURACY, "accuracy_low", "accuracy_high",
    "accuracy_lead", "accuracy_lead_low", "accuracy_lead_high",
    "bleu", "rouge-l-f", "passes",
)  # fmt: skip
# The published numbers' methods first, then those that were added here.
ORDER = (
    "compexp", "netdissect", "greedy", "beam", "pmi", "retrieval", "invert", "clip_dissect",
    "compexp_published", "netdissect_published", "constant", "most_frequent", "prior_only",
    "shuffled_prediction",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """Files of one trial: its own scores, and those of the other methods beside them."""

    train: tuple[str, ...]
    test: str
    seed: int
    scores: Path
    methods: Path


def write_comparison(trials: Sequence[Trial], seed: int, folder: Path) -> list[Row]:
    """Write the tables and figures of all `trials` into `folder`; returns the rows of Table 2.

    Refuses trials of one network that was probed with different manifests: their units saw other
    images. Networks that share a manifest are also pooled, as `all networks`.
    """
    facts = [read_json(t.methods.with_name("facts.json"), "facts of a trial") for t in trials]
    manifests = check_manifests(trials, facts)
    entries = [
        tables.SplitScores("", "+".join(t.train), t.test, t.seed, t.scores, (t.methods,))
        for t in trials
    ]
    tables.write_baselines(entries, folder)
    long = read_csv(folder / "table.csv")
    rows = network_rows(long)
    _add_passing(rows, trials, facts)
    if len(manifests) > 1 and len(set(manifests.values())) == 1:
        rows += pooled_rows(trials, Bootstrap(seed))
    write_csv(
        folder / "table2.csv", TABLE2, [[row.get(name, "") for name in TABLE2] for row in rows]
    )
    # An annotator is scored against the others only: fewer references, a lower best match.
    alike = [row for row in long if row["method"] != "annotators"]
    for metric, name, shown in ((ACCURACY, "accuracy", long), (BERT_F, "bertscore", alike)):
        if any(row["metric"] == metric for row in shown):
            write_figure(folder / f"{name}.svg", figures.accuracy_figure(shown, metric))
        else:
            (folder / f"{name}.svg").unlink(missing_ok=True)  # of a run that had the figure
    return rows


def check_manifests(trials: Sequence[Trial], facts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The manifest that each network was probed with, one for all of its trials."""
    found: dict[str, str] = {}
    for trial, own in zip(trials, facts, strict=True):
        known = found.setdefault(trial.test, own["manifest"])
        if known != own["manifest"]:
            raise UserError(
                f"{trial.methods}: {trial.test!r} was probed with manifest {own['manifest']}, in "
                f"another trial with {known}; results of different images are not compared, so "
                "make both trials again"
            )
    return found


def _add_passing(
    rows: Sequence[Row], trials: Sequence[Trial], facts: Sequence[Mapping[str, Any]]
) -> None:
    """The share of units whose label passes its method's own threshold, mean over trials."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for trial, own in zip(trials, facts, strict=True):
        for method, share in own["passes"].items():
            found[trial.test, method].append(share)
    for row in rows:
        if values := found.get((str(row["model"]), str(row["method"]))):
            row["passes"] = float(np.mean(values))


def network_rows(long: Sequence[Mapping[str, str]]) -> list[Row]:
    """Rows of Table 2 for single networks: means over trials of values and interval ends."""
    groups: dict[tuple[str, str], dict[str, list[Mapping[str, str]]]] = defaultdict(dict)
    for row in long:
        if row["method"] in ORDER:
            groups[row["model"], row["method"]].setdefault(row["metric"], []).append(row)
    rows = [_network_row(*key, metrics) for key, metrics in groups.items()]
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    return sorted(
        rows, key=lambda row: (models.index(str(row["model"])), ORDER.index(str(row["method"])))
    )


def _network_row(
    model: str, method: str, metrics: Mapping[str, Sequence[Mapping[str, str]]]
) -> Row:
    def mean(metric: str, column: str = "value") -> float | str:
        values = [number(row[column]) for row in metrics.get(metric, ())]
        return cell(float(np.mean(values))) if values else ""

    first = next(iter(metrics.values()))
    row: Row = {"model": model, "method": method, "trials": len(first), "n": first[0]["n"]}
    for metric, name in ((BERT_F, "bert"), (ACCURACY, "accuracy")):
        row[metric] = mean(metric)
        row.update({f"{name}_{end}": mean(metric, end) for end in ("low", "high")})
        lead = f"{metric}:lead-of-pmi"
        row[f"{name}_lead"] = mean(lead)
        row.update({f"{name}_lead_{end}": mean(lead, end) for end in ("low", "high")})
    return {**row, **{metric: mean(metric) for metric in ("bleu", "rouge-l-f")}}


def pooled_rows(trials: Sequence[Trial], bootstrap: Bootstrap) -> list[Row]:
    """Rows of Table 2 over the units of all networks, values of a unit averaged over trials."""
    found: dict[str, dict[tuple[str, str, str], list[tuple[float, float]]]] = {}
    for trial in trials:
        for said in read_csv(trial.methods.with_name("units.csv"), UNITS):
            key = (trial.test, said["layer"], said["unit"])
            own = found.setdefault(said["method"], {}).setdefault(key, [])
            own.append((number(said[ACCURACY]), number(said[BERT_F])))
    units = list(found.get(MAIN, {}))
    values = {
        method: np.array([np.mean(by_unit[key], axis=0) for key in units])
        for method, by_unit in found.items()
        if by_unit.keys() == set(units)
    }
    rows: list[Row] = []
    for method in [name for name in ORDER if name in values]:
        row: Row = {"model": ALL, "method": method, "n": len(units)}
        for place, (metric, name) in enumerate(((ACCURACY, "accuracy"), (BERT_F, "bert"))):
            ours, theirs = values[MAIN][:, place], values[method][:, place]
            kept = theirs[~np.isnan(theirs)]
            low, high = bootstrap.interval(kept, metric)
            row[metric] = cell(float(kept.mean()) if len(kept) else math.nan)
            row.update({f"{name}_low": cell(low), f"{name}_high": cell(high)})
            if method != MAIN:
                lead = bootstrap.paired(ours, theirs, metric)
                names = (f"{name}_lead", f"{name}_lead_low", f"{name}_lead_high")
                row.update({name: cell(end) for name, end in zip(names, lead, strict=True)})
        rows.append(row)
    return rows
