"""Metrics of a method beside those of another on the same units, as one row of a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from milan_core.core.numbers import mean_or_nan
from milan_core.core.seeding import generator
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.scorer import (
    ACCURACY,
    AGREEMENT,
    BERT_AUC,
    BERT_F,
    DIVERSITY,
    FALSE_NAMES,
    Measured,
)

INTERVALS = ("low", "high", "gain", "gain_low", "gain_high", "gain_p")
REPORTED = (ACCURACY, FALSE_NAMES, *AGREEMENT, BERT_AUC, *DIVERSITY)
# The judging metric on one half of the units, to choose a row on, and on the other, to report.
HALVES = ("half", "other", "other_gain", "other_gain_low", "other_gain_high")


def compared_row(
    measured: Measured, base: Measured, bootstrap: Bootstrap, clusters: np.ndarray
) -> dict[str, Any]:
    """Accuracy, agreement and diversity, and the gain over `base` on the same units.

    Interval and gain are those of `judged_by`: concept accuracy, or BERTScore F without ground
    truth; without either there is none. `clusters` int [units] are resampled. The metric is also
    given for two halves of the units: the best of many rows is lucky on the units that it was
    chosen on, and only other units can tell.
    """
    metric = next((name for name in (ACCURACY, BERT_F) if name in measured.units), "")
    ours, theirs = (m.units.get(metric, np.empty(0)) for m in (measured, base))
    clusters = clusters[: len(ours)]  # none where nothing judges
    judged = ~np.isnan(ours)
    interval = (
        *bootstrap.interval(ours, metric, clusters=clusters),
        *bootstrap.paired(ours, theirs, metric, clusters=clusters),
        bootstrap.p_value(ours, theirs, metric, clusters=clusters) if metric else math.nan,
    )
    half = first_half(judged, bootstrap.seed)
    other = ~half & judged
    gain = bootstrap.paired(
        ours[other], theirs[other], metric, "other half", clusters=clusters[other]
    )
    halves = (mean_or_nan(ours[half]), mean_or_nan(ours[other]), *gain)
    values = measured.means()
    return {
        "judged_by": metric,
        **dict(zip(INTERVALS, interval, strict=True)),
        **dict(zip(HALVES, halves, strict=True)),
        **{name: values.get(name, math.nan) for name in REPORTED},
        "n": int(judged.sum()) if metric else math.nan,
    }


def first_half(judged: np.ndarray, seed: int) -> np.ndarray:
    """A random half of the judged units: bool [units], the same for every method."""
    rows = np.flatnonzero(judged)
    chosen = np.zeros(len(judged), bool)
    chosen[generator(seed, "half of the units").permutation(rows)[: len(rows) // 2]] = True
    return chosen
