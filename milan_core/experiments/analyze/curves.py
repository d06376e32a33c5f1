"""Areas under accuracy curves, and whether one kind of order differs from random ones.

Two questions, two tests. Does the criterion's mean curve lie apart from the mean random curve?
Student's t answers: of two samples for random orders (Welch), and paired for layer-matched ones,
where every order of the criterion has its own. Would a random order ever do what the criterion's
does? Random orders differ among each other, so this is the harder one: the criterion's mean area as
a further draw from the random areas (a t prediction), beside the plain share of random orders that
hurt more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


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
    p: float  # that the means are equal
    outlier_p: float
    share_worse: float  # of random orders whose area is smaller than the criterion's mean
    seen: float = math.nan  # smallest difference that the outlier test would see, 80 % of the time


def compare(ours: np.ndarray, random: np.ndarray) -> Comparison:
    """Compare areas (o,) of the criterion's orders with areas (r,) of random ones: Welch's t.

    A single order is taken as known: its area has no spread.
    """
    parts = [(np.var(x, ddof=1) / len(x), len(x) - 1) for x in (ours, random) if len(x) > 1]
    variance = sum(part for part, _ in parts)
    freedom = sum(part**2 / degrees for part, degrees in parts)
    degrees = variance**2 / freedom if freedom > 0 else 1.0
    difference = float(np.mean(ours) - np.mean(random))
    return _comparison(difference, math.sqrt(variance), degrees, ours, random)


def compare_matched(ours: np.ndarray, matched: np.ndarray) -> Comparison:
    """Compare areas (o,) with those (r,) of orders matched to them: paired t over the o orders.

    Matched order t follows order t modulo o (`analyze_network`), so those of one order are no
    independent trials: their mean is paired with it. A single order is compared as in `compare`.
    """
    if len(ours) == 1:
        return compare(ours, matched)
    count = min(len(ours), len(matched))  # orders that have a matched one
    means = np.array([matched[turn :: len(ours)].mean() for turn in range(count)])
    differences = ours[:count] - means
    error = float(np.std(differences, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return _comparison(float(differences.mean()), error, count - 1, ours, matched)


def _comparison(
    difference: float, error: float, degrees: float, ours: np.ndarray, random: np.ndarray
) -> Comparison:
    from scipy import stats

    if error == 0:  # no spread, so no test: undefined, and never 0
        p, reach = math.nan, 0.0
    else:
        p = float(2 * stats.t.sf(abs(difference) / error, degrees))
        reach = error * float(stats.t.ppf((1 + LEVEL) / 2, degrees))
    mean = float(np.mean(ours))
    return Comparison(
        difference,
        difference - reach,
        difference + reach,
        p,
        outlier_p(mean, random),
        float(np.mean(random < mean)),
        outlier_seen(random),
    )


def outlier_p(value: float, sample: np.ndarray) -> float:
    """Two-sided p that `value` is one more draw of a normal sample: Student's t prediction.

    NaN where the sample has no spread.
    """
    from scipy import stats

    count = len(sample)
    spread = float(np.std(sample, ddof=1)) * math.sqrt(1 + 1 / count)
    if spread == 0:
        return math.nan
    return float(2 * stats.t.sf(abs(value - float(np.mean(sample))) / spread, count - 1))


def outlier_seen(sample: np.ndarray, alpha: float = 0.05) -> float:
    """The distance from the mean at which `outlier_p` is below `alpha` for 80 % of such values.

    Student's quantiles of the test and of the power, times the error of a prediction; the value
    has the spread of the sample. NaN without a spread.
    """
    from scipy import stats

    count = len(sample)
    if count < 2 or (spread := float(np.std(sample, ddof=1))) == 0:
        return math.nan
    reach = float(stats.t.ppf(1 - alpha / 2, count - 1)) + float(stats.t.ppf(0.8, count - 1))
    return reach * spread * math.sqrt(1 + 1 / count)
