"""Percentile bootstrap over units: how far a mean could move had other units been drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from milan_core.runtime.seeding import generator


@dataclass(frozen=True)
class Bootstrap:
    """Seeded 95 % intervals of means over units.

    The same seed, name and number of values give the same draws, so two metrics of the same units
    are resampled alike.
    """

    seed: int = 0
    resamples: int = 2000
    level: float = 0.95

    def interval(self, values: np.ndarray, *names: object) -> tuple[float, float]:
        """Interval of the mean of `values` (float [n]; NaN entries do not count).

        Fewer than two values give (NaN, NaN).
        """
        values = np.asarray(values, dtype=np.float64)
        values = values[~np.isnan(values)]
        if len(values) < 2:
            return math.nan, math.nan
        draws = generator(self.seed, "bootstrap", *names).integers(
            0, len(values), size=(self.resamples, len(values)), dtype=np.int32
        )
        tail = (1 - self.level) / 2
        low, high = np.quantile(values[draws].mean(axis=1), [tail, 1 - tail])
        return float(low), float(high)

    def paired(
        self, ours: np.ndarray, theirs: np.ndarray, *names: object
    ) -> tuple[float, float, float]:
        """Mean of ours - theirs over the same units, and its interval: (mean, low, high)."""
        if np.shape(ours) != np.shape(theirs):
            message = f"paired values need one shape, got {np.shape(ours)} and {np.shape(theirs)}"
            raise ValueError(message)
        difference = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
        kept = difference[~np.isnan(difference)]
        mean = float(kept.mean()) if len(kept) else math.nan
        return mean, *self.interval(kept, *names)
