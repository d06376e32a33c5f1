"""The long tables: metrics of all trials, their means over trials, and the sweeps over lambda."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.tables import cell, grouped
from milan_core.experiments.generalization.options import WITHIN, TrialFacts
from milan_core.experiments.generalization.sweep import JUDGED
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.scorer import MAIN
from milan_core.scoring.tables import Score

NAMES = ("experiment", "train", "test")
TABLE = (*NAMES, "trial", "metric", "value", "low", "high", "n", "p")
SUMMARY = (*NAMES, "metric", "trials", "mean", "std")


def score_cells(row: Score) -> list[object]:
    """The cells of a score: metric, value, low, high, n, p."""
    return [row.metric, cell(row.value), cell(row.low), cell(row.high), row.n, cell(row.p)]


def summarize(values: Iterable[tuple[tuple[Hashable, ...], float]]) -> list[list[object]]:
    """Mean and standard deviation (n - 1) over trials of (key, value), in order of appearance.

    Returns rows of the key, the number of values that are not NaN, mean, deviation. The deviation
    of a single trial is an empty cell.
    """
    rows: list[list[object]] = []
    for key, group in grouped(values, lambda item: item[0]).items():
        kept = [value for _, value in group if not math.isnan(value)]
        mean = cell(float(np.mean(kept))) if kept else ""
        std = cell(float(np.std(kept, ddof=1))) if len(kept) > 1 else ""
        rows.append([*key, len(kept), mean, std])
    return rows


def long_tables(trials: Sequence[Trial]) -> tuple[list[list[object]], list[list[object]]]:
    """Rows of table.csv and summary.csv: the described method of every trial."""
    scores = [
        (trial, row) for trial in trials for row in trial.scores.values() if row.method == MAIN
    ]
    table = [[*trial.key, trial.facts.seed, *score_cells(row)] for trial, row in scores]
    return table, summarize(((*trial.key, row.metric), row.value) for trial, row in scores)


def joined_sweeps(trials: Sequence[TrialFacts], files: Sequence[Path]) -> list[dict[str, str]]:
    """The sweeps of the trials whose captioner is the published one, and of those within networks.

    Sweeps without ground truth lack the columns of accuracy: empty cells beside those that have
    them.
    """
    sweeps = [
        (trial, path, read_csv(path, ("lambda",)))
        for trial, path in zip(trials, files, strict=True)
        if trial.primary or trial.experiment == WITHIN
    ]
    headers = [list(rows[0]) for _, _, rows in sweeps if rows]
    header = max(headers, key=len, default=[])
    without = [name for name in header if name not in JUDGED]
    joined = []
    for trial, path, rows in sweeps:
        if rows and list(rows[0]) not in (header, without):
            raise UserError(f"{path} has the columns {list(rows[0])}, the other sweeps {header}")
        names = {"split": sweep_name(trial), "trial": str(trial.seed)}
        joined += [names | {name: row.get(name, "") for name in header} for row in rows]
    return joined


def sweep_name(trial: TrialFacts) -> str:
    """The column `split` of a sweep: captioners of the whole corpus describe several networks."""
    return f"{trial.split}_{trial.test}" if trial.split == "all" else trial.split
