"""Intervals and tests of means over units or images that may hang together in clusters.

Units of one concept, and units that are one channel, rise and fall together, so a resample draws
whole clusters. A percentile interval of few clusters is too narrow; its quantiles are moved outward
as Student's t is wider than the normal distribution (the expanded percentile interval of Hesterberg
2015, The American Statistician 69, section 4.3, with the effective number of clusters of Carter,
Schnepel and Steigerwald 2017, Review of Economics and Statistics 99).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator

_FEW = 64  # different values up to which a resample is one multinomial draw of their counts


@dataclass(frozen=True)
class Bootstrap:
    """Seeded intervals and tests; the same seed, names and values give the same result."""

    seed: int = 0
    resamples: int = 10_000
    level: float = 0.95

    def interval(
        self, values: np.ndarray, *names: object, clusters: Sequence[int] | np.ndarray | None = None
    ) -> tuple[float, float]:
        """Interval of the mean of `values` (float [n]; NaN entries do not count).

        `clusters` int [n] names the cluster of each value; None: each is its own. Fewer than two
        clusters give (NaN, NaN).
        """
        sums, sizes = cluster_sums(values, clusters)
        if len(sizes) < 2:
            return math.nan, math.nan
        return self.ends(self._means(sums, sizes, *names), sizes)

    def indices(self, count: int, *names: object) -> np.ndarray:
        """Sample indices of every resample, int32 [resamples, count]."""
        return _indices(self.seed, self.resamples, count, names)

    def ends(self, resampled: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
        """Ends of the interval of `resampled` float [resamples], for clusters of `sizes`."""
        tail = expanded_tail(effective_clusters(sizes), (1 - self.level) / 2)
        low, high = np.quantile(resampled, [tail, 1 - tail])
        return float(low), float(high)

    def paired(
        self,
        ours: np.ndarray,
        theirs: np.ndarray,
        *names: object,
        clusters: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[float, float, float]:
        """Mean of ours - theirs over the same units, and its interval: (mean, low, high)."""
        difference = _difference_of(ours, theirs)
        kept = difference[~np.isnan(difference)]
        mean = float(kept.mean()) if len(kept) else math.nan
        return mean, *self.interval(difference, *names, clusters=clusters)

    def p_value(
        self,
        ours: np.ndarray,
        theirs: np.ndarray,
        *names: object,
        clusters: Sequence[int] | np.ndarray | None = None,
    ) -> float:
        """Two-sided p that ours and theirs differ in nothing but the sign of each cluster's sum.

        A sign-flip (paired permutation) test over clusters: exact where no difference means that
        the signs are exchangeable. NaN where no cluster has a difference.
        """
        sums, _ = cluster_sums(_difference_of(ours, theirs), clusters)
        sums = sums[sums != 0]
        if not len(sums):
            return math.nan
        flips = generator(self.seed, "sign flips", *names).integers(
            0, 2, size=(self.resamples, len(sums)), dtype=np.int8
        )
        flipped = np.where(flips == 1, sums, -sums).sum(axis=1)
        reach = abs(float(sums.sum())) * (1 - 1e-9)  # sums in another order may differ in a digit
        return (1 + int((np.abs(flipped) >= reach).sum())) / (1 + self.resamples)

    def crossed(
        self,
        ours: np.ndarray,
        theirs: np.ndarray | None,
        *names: object,
        clusters: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[float, float, float]:
        """Mean of ours - theirs (None: 0) and its interval over values and over draws.

        Both are float [draws, n] of the same n values, each with its own number of draws (of
        training seeds, or of random units). With one draw on both sides this is `interval`. With
        more, the variances over clusters and over draws are added, and Student's t has the degrees
        of freedom of Satterthwaite (1946, Biometrics 2).
        """
        sides = [np.asarray(side, dtype=np.float64) for side in (ours, theirs) if side is not None]
        difference = _mean_difference(sides)
        kept = difference[~np.isnan(difference)]
        mean = float(kept.mean()) if len(kept) else math.nan
        sums, sizes = cluster_sums(difference, clusters)
        if len(sizes) < 2:
            return mean, math.nan, math.nan
        resampled = self._means(sums, sizes, *names)
        if all(len(side) == 1 for side in sides):
            return mean, *self.ends(resampled, sizes)
        reach = _student_reach(_parts(sides, difference, resampled, sizes), self.level)
        return mean, mean - reach, mean + reach

    def crossed_p(
        self,
        ours: np.ndarray,
        theirs: np.ndarray,
        *names: object,
        clusters: Sequence[int] | np.ndarray | None = None,
    ) -> float:
        """Two-sided p that ours and theirs, float [draws, n], have one mean.

        With one draw on both sides this is `p_value`. Signs of clusters know nothing of draws that
        move all values, so with more it is Student's t of the variances in `crossed`.
        """
        sides = [np.asarray(side, dtype=np.float64) for side in (ours, theirs)]
        difference = _mean_difference(sides)
        if all(len(side) == 1 for side in sides):
            return self.p_value(difference, np.zeros_like(difference), *names, clusters=clusters)
        sums, sizes = cluster_sums(difference, clusters)
        if len(sizes) < 2:
            return math.nan
        parts = _parts(sides, difference, self._means(sums, sizes, *names), sizes)
        return _student_p(float(sums.sum() / sizes.sum()), parts)

    def _means(self, sums: np.ndarray, sizes: np.ndarray, *names: object) -> np.ndarray:
        """Means of the resamples, float64 [resamples]."""
        rows, counts = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
        if len(rows) <= _FEW and 4 * len(rows) <= len(sums):
            source = generator(self.seed, "bootstrap counts", *names)
            drawn = source.multinomial(len(sums), counts / len(sums), size=self.resamples)
            total = np.zeros((self.resamples, 2))
            for column, row in enumerate(rows):  # no matrix product: its sums depend on threads
                total += drawn[:, column, None] * row
            return total[:, 0] / total[:, 1]
        drawn = self.indices(len(sums), *names)
        return sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)


@functools.lru_cache(maxsize=4)
def _indices(seed: int, resamples: int, count: int, names: tuple[object, ...]) -> np.ndarray:
    drawn = generator(seed, "bootstrap", *names).integers(
        0, count, size=(resamples, count), dtype=np.int32
    )
    drawn.setflags(write=False)
    return drawn


def cluster_sums(
    values: np.ndarray, clusters: Sequence[int] | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each cluster, float64 [clusters] each; NaN does not count."""
    values = np.asarray(values, dtype=np.float64)
    kept = ~np.isnan(values)
    if clusters is None:
        return values[kept], np.ones(int(kept.sum()))
    _, place = np.unique(np.asarray(clusters)[kept], return_inverse=True)
    count = int(place.max()) + 1 if len(place) else 0
    sums = np.bincount(place, values[kept], minlength=count)
    return sums, np.bincount(place, minlength=count).astype(np.float64)


def effective_clusters(sizes: np.ndarray) -> float:
    """The effective number of clusters: (sum of sizes)^2 / sum of squares."""
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def expanded_tail(clusters: float, tail: float) -> float:
    """Tail probability that makes a percentile interval of few clusters as wide as Student's."""
    from scipy.special import ndtr, stdtrit  # scipy.stats takes three times as long to import

    if clusters <= 1:
        return 0.0
    reach = math.sqrt(clusters / (clusters - 1)) * float(stdtrit(clusters - 1, tail))
    return float(ndtr(reach))


def detectable(low: float, high: float) -> float:
    """The difference that a two-sided test at 5 % would find in 80 % of such samples.

    Of an interval of 95 %: (1.96 + 0.84) standard errors. NaN without an interval, and for one
    without width: units that all gave the same difference do not tell how far others spread.
    """
    if low == high:
        return math.nan
    return (high - low) / 2 * (1.959964 + 0.841621) / 1.959964


def _mean_difference(sides: Sequence[np.ndarray]) -> np.ndarray:
    """Means over draws of one side, less those of the other where there is one: float64 [n]."""
    means = [side.mean(axis=0) for side in sides]
    difference: np.ndarray = means[0] - means[1] if len(means) == 2 else means[0]
    return difference


def _parts(
    sides: Sequence[np.ndarray], difference: np.ndarray, resampled: np.ndarray, sizes: np.ndarray
) -> list[tuple[float, float]]:
    """Variances of a mean over clusters and over draws, each with its degrees of freedom."""
    kept = ~np.isnan(difference)
    freedom = effective_clusters(sizes)
    parts = [(float(resampled.var()) * freedom / (freedom - 1), freedom - 1)]
    for side in sides:
        if len(side) > 1:
            draws = side[:, kept].mean(axis=1)
            parts.append((float(np.var(draws, ddof=1)) / len(draws), len(draws) - 1.0))
    return parts


def _degrees(parts: Sequence[tuple[float, float]], variance: float) -> float:
    """Degrees of freedom of added variances (Satterthwaite 1946)."""
    return variance**2 / math.fsum(part**2 / freedom for part, freedom in parts)


def _student_p(mean: float, parts: Sequence[tuple[float, float]]) -> float:
    """Two-sided p of a mean with added variances; NaN without any."""
    from scipy.special import stdtr

    variance = math.fsum(part for part, _ in parts)
    if variance == 0:
        return math.nan
    return float(2 * stdtr(_degrees(parts, variance), -abs(mean) / math.sqrt(variance)))


def _student_reach(parts: Sequence[tuple[float, float]], level: float) -> float:
    """Half an interval of added variances, each with its degrees of freedom."""
    from scipy.special import stdtrit

    variance = math.fsum(part for part, _ in parts)
    if variance == 0:
        return 0.0
    return float(stdtrit(_degrees(parts, variance), 0.5 + level / 2)) * math.sqrt(variance)


def _difference_of(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    if np.shape(ours) != np.shape(theirs):
        message = f"paired values need one shape, got {np.shape(ours)} and {np.shape(theirs)}"
        raise ValueError(message)
    difference: np.ndarray = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    return difference
