"""The result tables: scores of all splits and trials side by side.

`results/generalization/table.csv` has the described method of every split,
`results/baselines/table.csv` every method on every held-out network. Beside each, `summary.csv` has
mean and standard deviation over trials. `results/generalization/lambda.csv` has the sweeps of
`experiments.pmi`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.scoring.pmi import JUDGED
from milan_core.scoring.scores import MAIN, Score, cell, read_scores

GENERALIZATION = ("experiment", "train", "test", "trial", "metric", "value", "low", "high", "n")
BASELINES = ("model", "method", "trial", "metric", "value", "low", "high", "n")
_SUMMARY = ("trials", "mean", "std")


@dataclass(frozen=True)
class SplitScores:
    """Where the scores of one split and trial are, and what the split is.

    `train` and `test` are names of networks, several joined by `+` ("alexnet+lite0").
    """

    experiment: str
    train: str
    test: str
    trial: int
    path: Path
    more: tuple[Path, ...] = ()  # scores of further methods in the same trial


def _read(entry: SplitScores) -> list[Score]:
    rows = read_scores(entry.path)
    if not any(row.method == MAIN for row in rows):
        message = f"{entry.path} has no rows of method {MAIN!r}; run its score step again"
        raise UserError(message)
    return rows


def _figures(row: Score) -> list[object]:
    return [row.metric, cell(row.value), cell(row.low), cell(row.high), row.n]


def summarise(
    rows: Iterable[tuple[tuple[Hashable, ...], float]],
) -> list[list[object]]:
    """Mean and standard deviation (n - 1) over trials of (key, value) rows, in order of appearance.

    The standard deviation of a single trial is an empty cell; NaN values do not count.
    """
    groups: dict[tuple[Hashable, ...], list[float]] = {}
    for key, value in rows:
        groups.setdefault(key, [])
        if not math.isnan(value):
            groups[key].append(value)
    return [
        [
            *key,
            len(values),
            cell(float(np.mean(values))) if values else "",
            cell(float(np.std(values, ddof=1))) if len(values) > 1 else "",
        ]
        for key, values in groups.items()
    ]


def write_generalization(entries: Sequence[SplitScores], folder: Path) -> None:
    """Write `table.csv` and `summary.csv` of method `pmi` for all splits into `folder`."""
    table, keyed = [], []
    for entry in entries:
        names = (entry.experiment, entry.train, entry.test)
        for row in _read(entry):
            if row.method == MAIN:
                table.append([*names, entry.trial, *_figures(row)])
                keyed.append(((*names, row.metric), row.value))
    write_csv(folder / "table.csv", GENERALIZATION, table)
    header = ("experiment", "train", "test", "metric", *_SUMMARY)
    write_csv(folder / "summary.csv", header, summarise(keyed))


def write_baselines(entries: Sequence[SplitScores], folder: Path) -> None:
    """Write `table.csv` and `summary.csv` of every method; column `model` is the test network."""
    table, keyed = [], []
    for entry in entries:
        further = [row for path in entry.more for row in read_scores(path)]
        for row in [*_read(entry), *further]:
            table.append([entry.test, row.method, entry.trial, *_figures(row)])
            keyed.append(((entry.test, row.method, row.metric), row.value))
    write_csv(folder / "table.csv", BASELINES, table)
    header = ("model", "method", "metric", *_SUMMARY)
    write_csv(folder / "summary.csv", header, summarise(keyed))


def write_lambda(sweeps: Sequence[tuple[str, int, Path]], path: Path) -> None:
    """Join the sweeps (split name, trial, file of `pmi.write_sweep`) into one table at `path`.

    Sweeps without truth lack the columns of accuracy: empty cells beside those that have it.
    """
    found = {source: read_csv(source, ("lambda",)) for _, _, source in sweeps}
    headers = [list(rows[0]) for rows in found.values() if rows]
    header = max(headers, key=len, default=[])
    for source, rows in found.items():
        columns = list(rows[0]) if rows else header
        if columns not in (header, [name for name in header if name not in JUDGED]):
            message = f"{source} has the columns {columns}, the other sweeps {header}"
            raise UserError(message)
    table = [
        [split, str(trial), *(row.get(name, "") for name in header)]
        for split, trial, source in sweeps
        for row in found[source]
    ]
    write_csv(path, ["split", "trial", *header], table)
