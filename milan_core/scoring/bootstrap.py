"""Percentile bootstrap of means over units or images: seeded 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.seeding import generator


@dataclass(frozen=True)
class Bootstrap:
    """Seeded percentile intervals of means over units.

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
        return self._ends(values[self.indices(len(values), *names)].mean(axis=1))

    def indices(self, count: int, *names: object) -> np.ndarray:
        """Sample indices of every resample, int32 [resamples, count]."""
        return generator(self.seed, "bootstrap", *names).integers(
            0, count, size=(self.resamples, count), dtype=np.int32
        )

    def _ends(self, means: np.ndarray) -> tuple[float, float]:
        tail = (1 - self.level) / 2
        low, high = np.quantile(means, [tail, 1 - tail])
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

    def nested(
        self, ours: np.ndarray, theirs: np.ndarray | None, *names: object
    ) -> tuple[float, float, float]:
        """Mean of ours - theirs (None: 0) and its interval over values and draws.

        Both are float [draws, n] of the same n values, each with its own number of draws (of random
        units, say). A resample takes n values, the same for both sides, and of D > 1 draws D - 1
        with replacement, which makes the variance of their mean that of D independent draws.
        """
        sides = [np.asarray(side, dtype=np.float64) for side in (ours, theirs) if side is not None]
        count = sides[0].shape[1]
        means = [float(side.mean()) for side in sides]
        if count < 2:
            return _difference(means), math.nan, math.nan
        indices, resampled = self.indices(count, *names), []
        for number, side in enumerate(sides):
            each = np.stack([row[indices].mean(axis=1) for row in side])  # [draws, resamples]
            if len(side) > 1:
                draw = generator(self.seed, "bootstrap of draws", number, *names)
                chosen = draw.integers(0, len(side), size=(len(side) - 1, self.resamples))
                each = np.take_along_axis(each, chosen, axis=0)
            resampled.append(each.mean(axis=0))
        return _difference(means), *self._ends(_difference(resampled))


def _difference(sides: Sequence[Any]) -> Any:
    return sides[0] - sides[1] if len(sides) == 2 else sides[0]
