"""Means, deviations and paired differences over seeds.

Runs differ in the seed of the whole run (targets, annotations, captioners), trials of one run in
the seed of the captioner alone, pairs of the audit and edited networks in theirs. Replicates of one
run share its targets, so they are averaged first where there are several runs; what one run alone
has is about captioners, and says so in the column `runs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.scoring.proportions import mean_interval, mean_test
from milan_core.scoring.verdicts import Difference, holm

Values = Mapping[int, Sequence[float]]
"""Values of one figure by run: one a trial, pair or network."""


@dataclass(frozen=True)
class Spread:
    """One figure over seeds: number of runs and of all values, mean, deviation over seeds.

    The deviation is over runs where there are several, else over the values of the one run; NaN of
    a single value.
    """

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


def spread(values: Values) -> Spread:
    """Mean and deviation of one figure over seeds."""
    kept = replicates(values)
    deviation = float(np.std(kept, ddof=1)) if len(kept) > 1 else math.nan
    return Spread(len(values), _count(values), float(np.mean(kept)), deviation)


def compare(differences: Mapping[str, Values]) -> list[Compared]:
    """Differences over seeds, their p adjusted over all of them (Holm); p needs three values."""
    tested = {name: replicates(values) for name, values in differences.items()}
    p_values = {name: mean_test(values) for name, values in tested.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [
        Compared(
            name,
            len(differences[name]),
            _count(differences[name]),
            Difference(*mean_interval(values), p_values[name], adjusted[name]),
        )
        for name, values in tested.items()
    ]


def _count(values: Values) -> int:
    return sum(map(len, values.values()))
