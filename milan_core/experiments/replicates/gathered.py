"""Figures and differences of several results folders, read from the tables of their experiments."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, read_csv
from milan_core.core.numbers import number
from milan_core.experiments.analyze.tables import MATCHED as LAYER_MATCHED
from milan_core.experiments.analyze.tables import RANDOM
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT
from milan_core.experiments.edit.tables import read_result
from milan_core.experiments.replicates.captioners import Captioner, within_less
from milan_core.experiments.replicates.spreads import Compared, Spread, compare, spread
from milan_core.scoring.scorer import ACCURACY, BERT_F, FALSE_NAMES, LEAD, MAIN
from milan_core.scoring.tables import read_scores

ByRun = dict[int, list[float]]
METHODS = {
    ACCURACY: (MAIN, "greedy", "shuffled_masks", "constant_oracle"),
    BERT_F: (MAIN, "greedy", "constant"),
    FALSE_NAMES: (MAIN, "greedy"),
}
AHEAD = (("greedy", ACCURACY), ("greedy", BERT_F), ("shuffled_masks", ACCURACY))
"""Methods and metrics that the described method is compared with over seeds."""
WITHIN, WITHOUT, MATCHED, UNMASKED = "within", "without", "matched", "unmasked"
MEASURED = ("generalization/*/*/seed*/scores.csv", "baselines/table.csv", "analyze/summary.csv")
"""Tables of so many measured numbers that two seeds never have the same ones."""
COMPARED = tuple(
    f"{one} less {other}"
    for one, other in (
        (WITHIN, WITHOUT),
        (WITHIN, MATCHED),
        (MATCHED, WITHOUT),
        (UNMASKED, WITHOUT),
    )
)
"""Captioners that are compared in the mean over the networks that a captioner leaves out."""
TABLE2 = (ACCURACY, BERT_F)
AVERAGED = "mean over networks"
ADJUSTED = ("accuracy_lead_holm", "bert_lead_holm")
"""Columns of Table 2 that are empty for methods that PMI is not compared with."""


def _check_runs(folders: Sequence[Path]) -> None:
    """Refuse a run that is given twice, under whatever name: it would count as two."""
    seen: dict[Path, Path] = {}
    digests: dict[tuple[str, str], Path] = {}
    for folder in folders:
        if (other := seen.setdefault(folder.resolve(), folder)) is not folder:
            raise UserError(f"{folder} is the run that {other} is; give every run once")
        for path in sorted(found for pattern in MEASURED for found in folder.glob(pattern)):
            place = path.relative_to(folder).as_posix()
            other = digests.setdefault((place, file_sha256(path)), folder)
            if other is not folder:
                raise UserError(
                    f"{folder} and {other} have the very same {place}, so they are one seed, which "
                    "would count as two; leave one out"
                )


class Gathered:
    """Figures by table, row, column and run; differences by table, row and run."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.figures: dict[str, dict[str, dict[str, ByRun]]] = {}
        self.differences: dict[str, dict[str, ByRun]] = {}
        _check_runs(folders)
        for run, folder in enumerate(folders):
            if not folder.is_dir():
                raise UserError(f"{folder} is not a folder; give the results of runs")
            found = [
                self._targets(run, folder),
                self._captioners(run, folder),
                self._baselines(run, folder),
                self._analysis(run, folder),
                self._audit(run, folder),
                self._edit(run, folder),
            ]
            if not any(found):
                raise UserError(
                    f"{folder} holds no results that are gathered over seeds: targets, "
                    "generalization, baselines, analyze, audit or edit; give the results of runs"
                )

    def _figure(self, table: str, row: str, column: str, run: int, value: float) -> None:
        if not math.isnan(value):
            rows = self.figures.setdefault(table, {}).setdefault(row, {})
            rows.setdefault(column, {}).setdefault(run, []).append(value)

    def _difference(self, table: str, row: str, run: int, value: float) -> None:
        if not math.isnan(value):
            rows = self.differences.setdefault(table, {}).setdefault(row, {})
            rows.setdefault(run, []).append(value)

    def _targets(self, run: int, folder: Path) -> bool:
        """Accuracy of the networks that were trained, on each of their test sets."""
        files = sorted(folder.glob("*/target/accuracy.csv"))
        for path in files:
            for row in read_csv(path, ("dataset",)):
                name = f"{path.parent.parent.name}, {row['dataset']}"
                self._figure("targets", name, "accuracy", run, number(row.get("accuracy") or ""))
        return bool(files)

    def _captioners(self, run: int, folder: Path) -> bool:
        """Scores of every captioner, and what it has over others on the same network."""
        files = sorted(folder.glob("generalization/*/*/seed*/scores.csv"))
        accuracy: dict[tuple[str, str, str], float] = {}
        averaged = defaultdict(list)
        for path in files:
            one = Captioner(folder, *path.parts[-4:-1])
            scores = {(row.method, row.metric): row.value for row in read_scores(path)}
            accuracy[one.kind, one.network, one.seed] = scores.get((MAIN, ACCURACY), math.nan)
            for metric, methods in METHODS.items():
                for method in methods:
                    value = scores.get((method, metric), math.nan)
                    self._figure(metric, one.name, method, run, value)
            for method, metric in AHEAD if one.kind not in (MATCHED, UNMASKED) else ():
                ours = scores.get((MAIN, metric), math.nan)
                lead = ours - scores.get((method, metric), math.nan)
                self._difference(f"{MAIN} less {method}, {metric}", one.name, run, lead)
            if one.kind not in (WITHIN, UNMASKED):
                averaged[f"{WITHIN} less {one.kind}", one.seed].append(self._from_within(run, one))
        for (kind, network, seed), value in accuracy.items():
            if kind in (MATCHED, UNMASKED):
                rest = value - accuracy.get((WITHOUT, network, seed), math.nan)
                self._difference(f"{kind} less {WITHOUT}, {ACCURACY}", network, run, rest)
                averaged[f"{kind} less {WITHOUT}", seed].append(rest)
        for (row, _), leads in averaged.items():
            if row in COMPARED:
                table = f"captioners compared, {AVERAGED}, {ACCURACY}"
                self._difference(table, row, run, fmean(leads))
        return bool(files)

    def _from_within(self, run: int, one: Captioner) -> float:
        """Add the lead of the captioner within the network over this one, and return it."""
        others = f"{WITHIN} less {one.kind if one.kind == MATCHED else 'others'}, {ACCURACY}"
        lead = within_less(one)
        self._difference(others, one.name, run, lead)
        return lead

    def _baselines(self, run: int, folder: Path) -> bool:
        """Table 2 by network, and what PMI has over every method in the mean over networks."""
        path = folder / "baselines/table.csv"
        if not path.is_file():
            return False
        shown = read_csv(folder / "baselines/table2.csv", ("method", *ADJUSTED))
        methods = {row["method"] for row in shown}
        compared = {row["method"] for row in shown if any(row[name] for name in ADJUSTED)}
        means, leads = defaultdict(list), defaultdict(list)
        rows = read_csv(path, ("model", "method", "trial", "metric", "value"))
        networks = len({row["model"] for row in rows})
        for row in rows:
            method, value = row["method"], number(row["value"])
            if row["metric"] in TABLE2 and method in methods:
                self._figure(f"Table 2, {row['metric']}", row["model"], method, run, value)
                means[row["metric"], method, row["trial"]].append(value)
            metric = row["metric"].removesuffix(LEAD)
            if metric != row["metric"] and metric in TABLE2 and method in compared:
                leads[metric, method, row["trial"]].append(value)
        for (metric, method, _), values in means.items():
            self._figure(f"Table 2, {metric}", AVERAGED, method, run, _average(values, networks))
        for (metric, method, _), values in leads.items():
            table = f"Table 2, {MAIN} less others, {AVERAGED}, {metric}"
            self._difference(table, method, run, _average(values, networks))
        return True

    def _analysis(self, run: int, folder: Path) -> bool:
        """Area under the accuracy curve of every criterion, less that of random orders."""
        path = folder / "analyze/summary.csv"
        if not path.is_file():
            return False
        controls = {name: f"{name}_difference" for name in (RANDOM, LAYER_MATCHED)}
        rows = read_csv(path, ("model", "criterion", "area", *controls.values()))
        leads = defaultdict(list)
        for row in rows:
            self._figure("analysis, area", row["model"], row["criterion"], run, number(row["area"]))
            for control, column in controls.items():
                leads[control, row["criterion"]].append(number(row[column]))
        for (control, criterion), values in leads.items():
            average = _average(values, len({row["model"] for row in rows}))
            table = f"analysis, area less {control.replace('_', '-')} orders, {AVERAGED}"
            self._difference(table, criterion, run, average)
        return True

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
                self._figure("audit, units", name, column, run, float(row[column]))
            self._difference("audit, fewer units", name, run, float(row["change"]))
        return True

    def _edit(self, run: int, folder: Path) -> bool:
        """Accuracies of every edited network, and what text units have over the controls."""
        files = sorted(folder.glob("*/edit/result.json"))
        for path in files:
            result = read_result(path)
            for split in (CLEAN, CORRECT, ADVERSARIAL):
                before = result["before"][split]["value"]
                self._figure("edit, accuracy before", "all units", split, run, before)
                for condition, entry in result["conditions"].items():
                    self._figure("edit, gain", condition, split, run, entry["gain"][split]["value"])
            for condition, lead in result["text_less"].items():
                table = f"edit, {orders.TEXT} less others on {ADVERSARIAL}"
                self._difference(table, condition, run, lead["value"])
        return bool(files)

    def spreads(self) -> dict[str, dict[str, dict[str, Spread]]]:
        """Means and deviations by table, row and column."""
        return {
            table: {
                row: {column: spread(values) for column, values in columns.items()}
                for row, columns in rows.items()
            }
            for table, rows in self.figures.items()
        }

    def compared(self) -> dict[str, list[Compared]]:
        """Differences by table, each table one family of tests."""
        return {table: compare(rows) for table, rows in self.differences.items()}


def _average(values: Sequence[float], networks: int) -> float:
    """Mean over all networks of a run; NaN where one of them has no value."""
    return fmean(values) if len(values) == networks else math.nan
