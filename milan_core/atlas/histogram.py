"""The distribution of a unit's values as bars: half octaves on either side of zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from milan_core.exemplars.sample import Distribution

OCTAVES = 8  # shown on either side of zero, down from the largest magnitude
PER_OCTAVE = 2  # bars


def histogram(distribution: Distribution, unit: int, level: float) -> dict[str, Any] | None:
    """Bars of one unit, or None where all values are zero.

    Returns:
        first: position of the first bar; bar p > 0 begins at smallest * 2^(p / 2), bars below 0
            mirror it; counts: of every bar from the first; smallest: the smallest magnitude shown;
            zeros: share of zeros; level: the position of the level, None where it lies outside.

    """
    low, high, counts = distribution.unit(unit)
    middle = low.astype(float) / 2 + high.astype(float) / 2
    shown = np.isfinite(middle)
    if not shown.any():
        return None
    smallest = float(np.abs(middle[shown]).max()) * 2.0**-OCTAVES
    shown &= np.abs(middle) > smallest
    bars: dict[int, int] = {}
    for value, count in zip(middle[shown], counts[shown], strict=True):
        position = math.floor(_along(value, smallest))
        bars[position] = bars.get(position, 0) + int(count)
    first, last = min(bars), max(bars)
    at = _along(level, smallest) if math.isfinite(level) else math.nan
    return {
        "first": first,
        "counts": [bars.get(position, 0) for position in range(first, last + 1)],
        "smallest": smallest,
        "zeros": int(distribution.zeros[unit]) / max(1, int(distribution.values[unit])),
        "images": distribution.images,
        "level": at if first <= at <= last + 1 else None,
    }


def _along(value: float, smallest: float) -> float:
    """Bars from zero to a value, below zero for negative ones."""
    magnitude = abs(float(value))
    bars = PER_OCTAVE * math.log2(magnitude / smallest) if magnitude > smallest else 0.0
    return math.copysign(bars, value)
