"""Exact agreement of what a text says with what a unit does, over a population of scenes.

Three definitions that are none of the compared scores, so that no score wins by being the truth:

    kappa        chance-corrected agreement: 1 - E[(a - c)^2] / E over independent scenes; Cohen's
                 kappa for values of 0 and 1, weighted kappa (concordance) for graded ones. 1 only
                 for the same values, 0 for constants and independent texts, below 0 for negations
    iou          sum of min(a, c) / sum of max(a, c): IoU of truth tables over all scenes
    information  mutual information over the mean of both entropies, with the sign of the covariance

Units are scaled to 0..1 as texts are: counts and sizes by the most that there can be, signed units
to 1/2 + value / 2.
"""

from __future__ import annotations

import numpy as np

from milan_core.world.zoo.expressions import Expression, Graded, Minus
from milan_core.world.zoo.facts import MOST, SIZES, Facts


def presence(expression: Expression, facts: Facts) -> np.ndarray:
    """A unit's value as the oracle would read its truth: float64 [n], 0 to 1."""
    value = expression.value(facts)
    if isinstance(expression, Graded):
        return value / (MOST if expression.how == "count" else len(SIZES))
    return (1 + value) / 2 if isinstance(expression, Minus) else value


def kappa(a: np.ndarray, c: np.ndarray) -> float:
    """Chance-corrected agreement of two float64 [n]; NaN where both are the same constant."""
    chance = a.var() + c.var() + (a.mean() - c.mean()) ** 2
    return float(1 - ((a - c) ** 2).mean() / chance) if chance else float("nan")


def iou(a: np.ndarray, c: np.ndarray) -> float:
    """Sum of smaller values over the sum of larger ones."""
    whole = np.maximum(a, c).sum()
    return float(np.minimum(a, c).sum() / whole) if whole else float("nan")


def information(a: np.ndarray, c: np.ndarray) -> float:
    """Signed normalized mutual information of few-valued arrays; 0 where either is constant."""
    _, first = np.unique(a, return_inverse=True)
    _, second = np.unique(c, return_inverse=True)
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1 / len(a))
    total = _entropy(table.sum(1)) + _entropy(table.sum(0))
    shared = total - _entropy(table.reshape(-1))
    sign = np.sign(np.mean((a - a.mean()) * (c - c.mean())))
    return float(sign * 2 * shared / total) if total > 0 else 0.0


def _entropy(shares: np.ndarray) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())


AGREEMENTS = {"kappa": kappa, "iou": iou, "information": information}
