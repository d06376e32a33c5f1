"""Bootstrap intervals over test images, on the same resamples for every unit and description.

Common resamples make differences between describers paired: what an image does to one it does to
the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator

RESAMPLES = 200
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))


class Resamples:
    """The count of each image in each resample: float32 [resamples, images]."""

    def __init__(self, images: int, seed: int, count: int = RESAMPLES) -> None:
        rng = generator(seed, "referee resamples", images)
        drawn = rng.integers(0, images, (count, images))
        self.counts = np.stack([np.bincount(row, minlength=images) for row in drawn])
        self._weights = self.counts.astype(np.float64)
        self._single = self.counts.astype(np.float32)
        self._by_image = np.ascontiguousarray(self._single.T)

    def correlation(self, a: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Correlations of columns in every resample: float64 [resamples, units].

        `a` and `c` are float [n, units]. Sums over images are five matrix products, so the cost is
        that of reading the activations. NaN for a constant unit, 0 for a constant prediction.
        """
        a, c = (x - x.mean(0) for x in (np.asarray(a, np.float64), np.asarray(c, np.float64)))
        w, n = self._weights, a.shape[0]
        sa, sc = w @ a, w @ c
        va, vc = w @ (a * a) - sa * sa / n, w @ (c * c) - sc * sc / n
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (w @ (a * c) - sa * sc / n) / np.sqrt(va * vc)
        tiny = 1e-20 * n
        r = np.where(vc <= tiny * np.maximum((c * c).max(0), 1e-300), 0.0, r)
        return np.where(va <= tiny * np.maximum((a * a).max(0), 1e-300), np.nan, r)

    def ranked(self, score: np.ndarray) -> Ranked:
        """The images in falling order of a score, for any number of labels."""
        order = np.argsort(-score, kind="stable")
        return Ranked(score[order], order, self._by_image)

    def average_precision(
        self, score: np.ndarray, label: np.ndarray, ranked: Ranked | None = None
    ) -> np.ndarray:
        """Average precision of one unit in every resample: float64 [resamples].

        Equal scores enter together. NaN for a resample without positives. Sums are whole numbers
        below 2^24, so they are exact in float32.

        Args:
            score: float [n].
            label: bool [n].
            ranked: of this score; none: made here.

        """
        positives = np.flatnonzero(label)
        if not len(positives):
            return np.full(len(self.counts), np.nan)
        ranked = ranked or self.ranked(score)
        order = positives[np.argsort(-score[positives], kind="stable")]
        falling = score[order]
        last = np.append(falling[1:] != falling[:-1], True)  # of each group of equal scores
        hits = np.cumsum(self._by_image[order], axis=0)[last].T
        seen = ranked.reaching(falling[last]).T
        gained = np.diff(hits, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, hits / np.maximum(seen, 1), 0.0)
            total = hits[:, -1].astype(np.float64)
            return (gained * precision).sum(1) / np.where(total > 0, total, np.nan)

    def lift(
        self, score: np.ndarray, label: np.ndarray, ranked: Ranked | None = None
    ) -> np.ndarray:
        """Lift of the average precision in every resample: float64 [resamples]."""
        share = self._single[:, label].sum(1, dtype=np.float64) / len(label)
        value = self.average_precision(score, label, ranked)
        return np.where(share < 1, (value - share) / np.maximum(1 - share, 1e-300), np.nan)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Images in falling order of a score.

    Attributes:
        falling: float [n], their scores.
        order: int64 [n], the images.
        counts: float32 [n, resamples], how often each resample has drawn each image.

    """

    falling: np.ndarray
    order: np.ndarray
    counts: np.ndarray

    def reaching(self, ends: np.ndarray) -> np.ndarray:
        """Count the draws of images that reach each of `ends`, falling: float32 [ends, resamples].

        Draws are summed between ends as one sparse product, then over the few ends.
        """
        from scipy.sparse import csr_array

        places = np.searchsorted(-self.falling, -ends, side="right")
        used = self.order[: places[-1]]
        ones = np.ones(len(used), np.float32)
        between = csr_array(
            (ones, used, np.append(0, places)), shape=(len(places), len(self.order))
        )
        return np.cumsum(between @ self.counts, axis=0, dtype=np.float32)


def intervals(values: np.ndarray, resampled: np.ndarray, level: float = LEVEL) -> list[Interval]:
    """`interval` of many values float [n] with their resamples float [resamples, n]."""
    tail = (1 - level) / 2
    whole = np.isfinite(resampled).all(0)
    ends = np.full((2, len(values)), np.nan)
    if whole.any():
        ends[:, whole] = np.quantile(resampled[:, whole], [tail, 1 - tail], axis=0)
    return [
        Interval(float(value), float(low), float(high))
        if there
        else interval(float(value), column, level)
        for value, low, high, there, column in zip(values, *ends, whole, resampled.T, strict=True)
    ]


def interval(value: float, resampled: np.ndarray, level: float = LEVEL) -> Interval:
    """The percentile interval of resampled values; NaN ends where none is defined."""
    defined = resampled[np.isfinite(resampled)]
    if not len(defined):
        return Interval(value, float("nan"), float("nan"))
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
