"""Bootstrap intervals over test images, on the same resamples for every unit and description.

Common resamples make differences between describers paired: what an image does to one it does to
the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

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

    def average_precision(self, score: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Average precision of one unit in every resample: float64 [resamples].

        Equal scores enter together. NaN for a resample without positives.
        """
        ends = np.unique(score[label])[::-1]  # only groups with positives gain anything
        if not len(ends):
            return np.full(len(self.counts), np.nan)
        seen = self._counted(score, ends, np.arange(len(score)))
        hits = self._counted(score, ends, np.flatnonzero(label))
        gained = np.diff(hits, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, hits / np.maximum(seen, 1), 0.0)
            total = hits[:, -1].astype(np.float64)
            return (gained * precision).sum(1) / np.where(total > 0, total, np.nan)

    def _counted(self, score: np.ndarray, ends: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Count the `images` at or above each of `ends`, falling, a resample: [resamples, ends].

        One sparse product, linear in the images; whole numbers below 2^24 are exact in float32.
        """
        group = np.searchsorted(-ends, -score[images], side="left")
        inside = group < len(ends)
        order = np.argsort(group[inside], kind="stable")
        starts = np.append(0, np.cumsum(np.bincount(group[inside], minlength=len(ends))))
        members = images[inside][order]
        shape = (len(ends), len(score))
        groups = csr_matrix((np.ones(len(members), np.float32), members, starts), shape)
        return np.cumsum(groups @ self._by_image, axis=0).T

    def lift(self, score: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Lift of the average precision in every resample: float64 [resamples]."""
        share = self._single[:, label].sum(1, dtype=np.float64) / len(label)
        value = self.average_precision(score, label)
        return np.where(share < 1, (value - share) / np.maximum(1 - share, 1e-300), np.nan)


def interval(value: float, resampled: np.ndarray, level: float = LEVEL) -> Interval:
    """The percentile interval of resampled values; NaN ends where none is defined."""
    defined = resampled[np.isfinite(resampled)]
    if not len(defined):
        return Interval(value, float("nan"), float("nan"))
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
