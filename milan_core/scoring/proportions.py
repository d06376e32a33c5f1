"""Intervals and a test for counts of units.

Units that are one channel, or share a third of their exemplars, are not independent draws: give
counts of distinct groups. Even these are of one network, and say how far a count could move had
other groups of this network been looked at, not what another network would show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from milan_core.core.numbers import added

LEVEL = 0.95


def exact_interval(count: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper-Pearson interval of the share `count / total`; (NaN, NaN) of nothing."""
    if total == 0:
        return math.nan, math.nan
    from scipy.stats import binomtest

    interval = binomtest(count, total).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def wilson_interval(count: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of the share `count / total`."""
    from scipy.stats import binomtest

    interval = binomtest(count, total).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def difference_interval(
    first: tuple[int, int], second: tuple[int, int], level: float = LEVEL
) -> tuple[float, float, float]:
    """Share of `first` less share of `second`, each (count, total), and its interval.

    Newcombe's combination of two Wilson intervals (Statistics in Medicine 17, 1998, method 10): it
    keeps its width when a count is zero, where resampling would claim certainty.
    """
    if first[1] == 0 or second[1] == 0:
        return math.nan, math.nan, math.nan
    one, two = first[0] / first[1], second[0] / second[1]
    one_low, one_high = wilson_interval(*first, level)
    two_low, two_high = wilson_interval(*second, level)
    low = (one - two) - math.hypot(one - one_low, two_high - two)
    high = (one - two) + math.hypot(one_high - one, two - two_low)
    return one - two, low, high


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """Mean of independent values and Student's interval; of one value (mean, NaN, NaN)."""
    n = len(values)
    mean = added(values) / n if n else math.nan
    if n < 2:
        return mean, math.nan, math.nan
    from scipy.stats import t

    spread = math.sqrt(added((value - mean) ** 2 for value in values) / (n - 1) / n)
    reach = float(t.ppf(0.5 + level / 2, n - 1)) * spread
    return mean, mean - reach, mean + reach


def mean_test(values: Sequence[float]) -> float:
    """Two-sided p of Student's t that the mean of independent values is 0.

    NaN of fewer than three, where a test says nothing, and of values that are all equal but for the
    rounding of their last digits.
    """
    n = len(values)
    if n < 3 or max(values) - min(values) <= 1e-12 * max(map(abs, values)):
        return math.nan
    mean, _, high = mean_interval(values)
    from scipy.stats import t

    error = (high - mean) / float(t.ppf(0.5 + LEVEL / 2, n - 1))
    return float(2 * t.sf(abs(mean) / error, n - 1))
