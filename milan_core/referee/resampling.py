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
MOST_GROUPS = 200  # distinct scores of positives up to which one product is faster


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))


class Resamples:
    """How often each image is in each resample: float32 [resamples, images]."""

    def __init__(self, images: int, seed: int, count: int = RESAMPLES) -> None:
        rng = generator(seed, "referee resamples", images)
        drawn = rng.integers(0, images, (count, images))
        self.counts = np.stack([np.bincount(row, minlength=images) for row in drawn])
        self._weights = self.counts.astype(np.float64)
        self._single = self.counts.astype(np.float32)

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
        if len(ends) <= MOST_GROUPS:  # one product: whole numbers below 2^24 are exact in float32
            seen = self._single @ (score[:, None] >= ends).astype(np.float32)
        else:
            order = np.argsort(-score, kind="stable")
            last = np.searchsorted(-score[order], -ends, side="right") - 1
            seen = np.cumsum(self._single[:, order], axis=1, dtype=np.float32)[:, last]
        positives = self._single[:, label]
        hits = positives @ (score[label][:, None] >= ends).astype(np.float32)
        gained = np.diff(hits, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, hits / np.maximum(seen, 1), 0.0)
            total = hits[:, -1].astype(np.float64)
            return (gained * precision).sum(1) / np.where(total > 0, total, np.nan)

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
