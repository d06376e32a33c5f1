"""Areas under accuracy curves, and whether one kind of order differs from random ones.

Two questions, two tests. Does the criterion's mean curve lie apart from the mean random curve? The
paired one answers: trial t of the criterion against trial t of the random orders, signs flipped.
Would a random order ever do what the criterion's does? Random orders differ among each other, so
this is the harder one: the criterion's mean area as a further draw from the random areas (a t
prediction), beside the plain share of random orders that hurt more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.experiments.bootstrap import Bootstrap
from milan_core.runtime.seeding import generator

_FLIPS = 10_000


def area(fractions: Sequence[float], accuracies: np.ndarray) -> np.ndarray:
    """Mean accuracy over the ablated shares: trapezoids over (o, steps), divided by the range."""
    x = np.asarray(fractions, dtype=np.float64)
    return np.trapezoid(np.asarray(accuracies, dtype=np.float64), x, axis=-1) / (x[-1] - x[0])


@dataclass(frozen=True)
class Comparison:
    """Areas of a criterion's orders against those of random ones; negative: it hurts more."""

    difference: float
    low: float
    high: float
    paired_p: float
    outlier_p: float
    share_worse: float  # of random orders whose area is smaller than the criterion's mean


def compare(
    ours: np.ndarray, random: np.ndarray, bootstrap: Bootstrap, *names: object
) -> Comparison:
    """Compare areas (o,) of the criterion's trials with areas (r,) of random orders.

    Random trial t is paired with trial t of the criterion, taken in turn where these are fewer.
    """
    turns = np.resize(ours, len(random))
    difference, low, high = bootstrap.paired(turns, random, *names)
    mean = float(np.mean(ours))
    return Comparison(
        difference,
        low,
        high,
        sign_flip_p(turns - random, bootstrap.seed, *names),
        outlier_p(mean, random),
        float(np.mean(random < mean)),
    )


def sign_flip_p(differences: np.ndarray, seed: int, *names: object) -> float:
    """Two-sided p that paired differences are as likely positive as negative.

    All sign patterns are counted up to 13 pairs, otherwise 10,000 random ones.
    """
    count = len(differences)
    if 2**count <= _FLIPS:
        bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
        extra = 0  # the observed pattern is one of them
    else:
        bits = generator(seed, "sign flips", *names).integers(0, 2, (_FLIPS, count))
        extra = 1
    sums = np.abs((2 * bits - 1) @ differences)
    reached = np.sum(sums >= abs(differences.sum()) * (1 - 1e-12))
    return float((reached + extra) / (len(bits) + extra))


def outlier_p(value: float, sample: np.ndarray) -> float:
    """Two-sided p that `value` is one more draw of a normal sample: Student's t prediction."""
    from scipy import stats

    count = len(sample)
    spread = float(np.std(sample, ddof=1)) * math.sqrt(1 + 1 / count)
    if spread == 0:
        return 1.0 if value == sample[0] else 0.0
    return float(2 * stats.t.sf(abs(value - float(np.mean(sample))) / spread, count - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment for several tests: float in [0, 1], same order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted.tolist()
