"""Importance of single units: ranks, and correlation with scores of their descriptions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator

_DRAWS = 1000
_LEVEL = 0.95


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values share their mean rank; float64 (n,)."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((2 * last - counts + 1) / 2)[index]


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where one side is constant."""
    return _pearson(ranks(left), ranks(right))


def within_layers(left: np.ndarray, right: np.ndarray, layers: np.ndarray) -> float:
    """Spearman's correlation of ranks within each layer, all layers pooled.

    Layers differ in importance and in the words of their descriptions; ranks within a layer, less
    their mean, are free of that.
    """
    parts = [
        (_centred(ranks(left[layers == layer])), _centred(ranks(right[layers == layer])))
        for layer in dict.fromkeys(layers.tolist())
    ]
    return _pearson(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def _centred(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / len(values)


def _pearson(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left - left.mean(), right - right.mean()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / scale if scale > 0 else math.nan


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of a criterion with importance; bootstrap intervals over units."""

    overall: float
    overall_low: float
    overall_high: float
    within: float
    within_low: float
    within_high: float


def correlate(
    scores: np.ndarray, importance: np.ndarray, layers: Sequence[str], seed: int, *names: object
) -> Correlation:
    """Correlations of a criterion with the importance of units, over all and within layers."""
    of_unit = np.asarray(layers)
    draws = generator(seed, "correlation", *names).integers(0, len(scores), (_DRAWS, len(scores)))
    overall, within = [], []
    for draw in draws:
        overall.append(spearman(scores[draw], importance[draw]))
        within.append(within_layers(scores[draw], importance[draw], of_unit[draw]))
    return Correlation(
        spearman(scores, importance),
        *_interval(overall),
        within_layers(scores, importance, of_unit),
        *_interval(within),
    )


def _interval(values: Sequence[float]) -> tuple[float, float]:
    defined = np.asarray(values)[~np.isnan(values)]
    if len(defined) < 2:
        return math.nan, math.nan
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
