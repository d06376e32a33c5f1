"""The score tables, averaged over trials and looked up by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from milan_core.core.files import read_csv
from milan_core.core.numbers import added, number
from milan_core.experiments.generalization.sweep import JUDGED
from milan_core.scoring.verdicts import over_trials


@dataclass(frozen=True)
class Figure:
    """A number with its interval and p (NaN: none), units behind it, and trials averaged."""

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    trials: int = 1
    p: float = math.nan

    @property
    def exists(self) -> bool:
        """False for a number that the run does not have."""
        return not math.isnan(self.value)


UNKNOWN = Figure(math.nan)


def average(rows: Sequence[Mapping[str, str]]) -> Figure:
    """Mean of value, low and high over the rows of several trials."""
    rows = [row for row in rows if row["value"] != ""]
    if not rows:
        return UNKNOWN

    def mean(column: str) -> float:
        values = [number(row.get(column)) for row in rows]
        return added(values) / len(values)

    return Figure(
        mean("value"),
        mean("low"),
        mean("high"),
        int(number(rows[0].get("n") or "0")),
        len(rows),
        over_trials([number(row.get("p")) for row in rows]),
    )


class Table:
    """Rows of a long table, averaged over trials and looked up by their key columns."""

    def __init__(self, path: Path | None, keys: tuple[str, ...]) -> None:
        rows = read_csv(path, (*keys, "value")) if path is not None else []
        groups: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
        for row in rows:
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        self._figures = {key: average(group) for key, group in groups.items()}

    def __bool__(self) -> bool:
        return bool(self._figures)

    def get(self, *key: str) -> Figure:
        """The figure of a key; `UNKNOWN` where the run has none."""
        return self._figures.get(key, UNKNOWN)

    def values(self, column: int) -> list[str]:
        """The different values of one key column, in the order of appearance."""
        return list(dict.fromkeys(key[column] for key in self._figures))


def baselines_table(path: Path | None) -> Table:
    """`results/baselines/table.csv` by (model, method, metric)."""
    return Table(path, ("model", "method", "metric"))


def generalization_table(path: Path | None) -> Table:
    """`results/generalization/table.csv` by (experiment, train, test, metric)."""
    return Table(path, ("experiment", "train", "test", "metric"))


def lambda_rows(path: Path | None) -> dict[str, list[dict[str, float]]]:
    """`results/generalization/lambda.csv`: per split one row per lambda, averaged over trials."""
    sweeps: dict[str, dict[float, list[dict[str, float]]]] = {}
    for row in read_csv(path, ("split", "lambda")) if path is not None else []:
        values = {
            name: number(text) for name, text in row.items() if name not in ("split", "trial")
        }
        sweeps.setdefault(row["split"], {}).setdefault(values["lambda"], []).append(values)
    return {
        split: [
            # The mean of equal floats need not equal them: three times 0.2 over 3 is not 0.2.
            dict.fromkeys(JUDGED, math.nan)  # units without known concepts lack these
            | {name: added(r[name] for r in rows) / len(rows) for name in rows[0]}
            | {"lambda": weight, "gain_p": over_trials([r.get("gain_p", math.nan) for r in rows])}
            for weight, rows in sorted(points.items())
        ]
        for split, points in sweeps.items()
    }
