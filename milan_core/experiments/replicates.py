"""Results of several runs and seeds gathered: means, deviations over seeds, and what they show.

Runs differ in the seed of the whole run (targets, annotations, captioners), trials of one run in
the seed of the captioner alone, pairs of the audit and edited networks in theirs. Replicates of one
run share its targets, so they are averaged first where there are several runs; what one run alone
has is about captioners, and says so in the column `runs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT
from milan_core.experiments.edit.tables import read_result
from milan_core.scoring.proportions import mean_interval, mean_test
from milan_core.scoring.scorer import ACCURACY, BERT_F, FALSE_NAMES, MAIN
from milan_core.scoring.tables import TEST, read_descriptions, read_scores, read_truth
from milan_core.scoring.units import rows_of
from milan_core.scoring.verdicts import Difference, holm

Values = Mapping[int, Sequence[float]]
"""Values of one figure by run: one a trial, pair or network."""
METHODS = {
    ACCURACY: (MAIN, "greedy", "shuffled_masks", "constant_oracle"),
    BERT_F: (MAIN, "greedy", "constant"),
    FALSE_NAMES: (MAIN, "greedy"),
}
AHEAD = (("greedy", ACCURACY), ("greedy", BERT_F), ("shuffled_masks", ACCURACY))
"""Methods and metrics that the described method is compared with over seeds."""
WITHIN = "within"
BESIDE = (WITHIN, "matched", "unmasked")
"""Splits whose accuracy is compared with that of `without` on the same network, over seeds: on the
units that `within` was tested on, or on all units of the network, which both others describe."""


@dataclass(frozen=True)
class Spread:
    """One figure over seeds: number of runs and of all values, mean, deviation over seeds.

    The deviation is over runs where there are several, else over the values of the one run; NaN of
    a single value.
    """

    name: str
    runs: int
    count: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class Compared:
    """A paired difference over seeds with Student's interval, its p, and p by Holm."""

    name: str
    runs: int
    count: int
    difference: Difference


def replicates(values: Values) -> list[float]:
    """The independent values: means of runs where there are several, else those of the one run."""
    if len(values) == 1:
        return list(next(iter(values.values())))
    return [float(np.mean(of_run)) for of_run in values.values()]


def spread(name: str, values: Values) -> Spread:
    """Mean and deviation of one figure over seeds."""
    kept = replicates(values)
    deviation = float(np.std(kept, ddof=1)) if len(kept) > 1 else math.nan
    count = sum(map(len, values.values()))
    return Spread(name, len(values), count, float(np.mean(kept)), deviation)


def compare(differences: Mapping[str, Values]) -> list[Compared]:
    """Differences over seeds, their p adjusted over all of them (Holm); p needs three values."""
    tested = {name: replicates(values) for name, values in differences.items()}
    p_values = {name: mean_test(values) for name, values in tested.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [
        Compared(
            name,
            len(differences[name]),
            sum(map(len, differences[name].values())),
            Difference(*mean_interval(values), p_values[name], adjusted[name]),
        )
        for name, values in tested.items()
    ]


def within_less_without(network: Path, seed: str) -> float:
    """Accuracy of the captioner within a network less that of `without`, on the same units.

    Those that `within` was tested on and whose concept is known: a captioner that left the network
    out describes all of its units, so the means of the two tables of scores are of other units.
    NaN where a file is missing.

    Args:
        network: its folder in the results.
        seed: folder of the trial, such as `seed0`.

    """
    within, without = (
        network / "describe" / f"{kind}_{network.name}" / seed / "descriptions.csv"
        for kind in (WITHIN, "without")
    )
    known = network / "annotations/truth.csv"
    if not all(path.is_file() for path in (within, without, known)):
        return math.nan
    ours, truth = read_descriptions(within, TEST), read_truth(known)
    judged = [key for key in ours if key in truth and truth[key].specific]
    theirs = rows_of(judged, read_descriptions(without), f"{without}", f"the units of {within}")
    lead = [
        float(truth[key].named_by(ours[key])) - float(truth[key].named_by(text))
        for key, text in zip(judged, theirs, strict=True)
    ]
    return float(np.mean(lead)) if lead else math.nan


class Gathered:
    """Figures and differences of several results folders, by table."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.figures: dict[str, dict[str, dict[int, list[float]]]] = {}
        self.differences: dict[str, dict[str, dict[int, list[float]]]] = {}
        for run, folder in enumerate(folders):
            if not folder.is_dir():
                raise UserError(f"{folder} is not a folder; give the results of runs")
            found = [
                self._targets(run, folder),
                self._captioners(run, folder),
                self._audit(run, folder),
                self._edit(run, folder),
            ]
            if not any(found):
                raise UserError(
                    f"{folder} holds no results that are gathered over seeds: targets, "
                    "generalization, audit or edit; give the results of runs"
                )

    def _add(self, kind: str, table: str, name: str, run: int, value: float) -> None:
        if not math.isnan(value):
            tables = getattr(self, kind)
            tables.setdefault(table, {}).setdefault(name, {}).setdefault(run, []).append(value)

    def _targets(self, run: int, folder: Path) -> bool:
        """Accuracy of the networks that were trained, on each of their test sets."""
        files = sorted(folder.glob("*/target/accuracy.csv"))
        for path in files:
            for row in read_csv(path, ("dataset",)):
                name = f"{path.parent.parent.name}, {row['dataset']}"
                self._add("figures", "targets", name, run, float(row.get("accuracy") or "nan"))
        return bool(files)

    def _captioners(self, run: int, folder: Path) -> bool:
        """Scores of every captioner, and what it has over others on the same network."""
        files = sorted(folder.glob("generalization/*/*/seed*/scores.csv"))
        accuracy: dict[tuple[str, str, str], float] = {}
        for path in files:
            split, model, seed = path.parts[-4:-1]
            kind = split.removesuffix(f"_{model}")
            scores = {(row.method, row.metric): row.value for row in read_scores(path)}
            accuracy[kind, model, seed] = scores.get((MAIN, ACCURACY), math.nan)
            for metric, methods in METHODS.items():
                for method in methods:
                    value = scores.get((method, metric), math.nan)
                    self._add("figures", metric, f"{kind} → {model}, {method}", run, value)
            for method, metric in AHEAD:
                if kind in BESIDE[1:]:
                    continue
                ours = scores.get((MAIN, metric), math.nan)
                value = ours - scores.get((method, metric), math.nan)
                name = f"{kind} → {model}"
                self._add("differences", f"{MAIN} less {method}, {metric}", name, run, value)
        for (kind, model, seed), value in accuracy.items():
            if kind in BESIDE:
                table = f"{kind} less without, {ACCURACY}"
                rest = value - accuracy.get(("without", model, seed), math.nan)
                if kind == WITHIN:
                    rest = within_less_without(folder / model, seed)
                self._add("differences", table, model, run, rest)
        return bool(files)

    def _audit(self, run: int, folder: Path) -> bool:
        """Matching units of both networks of every pair."""
        path = folder / "audit/changes.csv"
        if not path.is_file():
            return False
        needed = ("pair", "query", "source", "layer", "original", "changed", "change")
        for row in read_csv(path, needed):
            if row["layer"] != "all" or row["pair"] == "all":
                continue
            name = f"{row['query']} by {row['source']}"
            for column in ("original", "changed"):
                self._add("figures", "audit", f"{name}, {column}", run, float(row[column]))
            self._add("differences", "audit, fewer units", name, run, float(row["change"]))
        return True

    def _edit(self, run: int, folder: Path) -> bool:
        """Accuracies of every edited network, and what text units have over the controls."""
        files = sorted(folder.glob("*/edit/result.json"))
        for path in files:
            result = read_result(path)
            for split in (CLEAN, CORRECT, ADVERSARIAL):
                before = result["before"][split]["value"]
                self._add("figures", "edit", f"before, {split}", run, before)
                for condition, entry in result["conditions"].items():
                    gain = entry["gain"][split]["value"]
                    self._add("figures", "edit", f"{condition}, gain on {split}", run, gain)
            for condition, lead in result["text_less"].items():
                table = f"edit, {orders.TEXT} less others on {ADVERSARIAL}"
                self._add("differences", table, condition, run, lead["value"])
        return bool(files)

    def spreads(self) -> dict[str, list[Spread]]:
        """Means and deviations by table."""
        return {
            table: [spread(name, values) for name, values in rows.items()]
            for table, rows in self.figures.items()
        }

    def compared(self) -> dict[str, list[Compared]]:
        """Differences by table, each table one family of tests."""
        return {table: compare(rows) for table, rows in self.differences.items()}
