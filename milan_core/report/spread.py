"""Histogram of a unit's activations, drawn beside its description."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from milan_core.exemplars.sample import Distribution

HEIGHT = 34  # pixels of the drawing
STEP = 6  # pixels from bar to bar
OCTAVES = 8  # shown on either side of zero, down from the largest magnitude
PER_OCTAVE = 2  # bars


def spread_svg(distribution: Distribution, unit: int, level: float) -> Any:
    """A small SVG: bars of values that grow by half octaves, heights logarithmic, the level marked.

    Negative values lie left of zero, mirrored; zeros are given as a share. Empty for a unit whose
    values are all zero.
    """
    from markupsafe import Markup

    low, high, counts = distribution.unit(unit)
    middle = low.astype(float) / 2 + high.astype(float) / 2
    shown = np.isfinite(middle)
    if not shown.any():
        return ""
    smallest = float(np.abs(middle[shown]).max()) * 2.0**-OCTAVES
    shown &= np.abs(middle) > smallest
    positions = [math.floor(_along(value, smallest)) for value in middle[shown]]
    bars: dict[int, int] = {}
    for position, count in zip(positions, counts[shown], strict=True):
        bars[position] = bars.get(position, 0) + int(count)
    first, width = min(bars), (max(bars) - min(bars) + 1) * STEP
    tallest = math.log1p(max(bars.values()))
    drawn = "".join(
        f"M{(bar - first) * STEP} {HEIGHT}v-{max(1.0, HEIGHT * math.log1p(count) / tallest):.1f}"
        f"h{STEP - 1}V{HEIGHT}z"
        for bar, count in sorted(bars.items())
    )
    at = (_along(level, smallest) - first) * STEP if math.isfinite(level) else -1.0
    mark = f'<path class="level" d="M{at:.1f} 0V{HEIGHT}"/>' if 0 <= at <= width else ""
    zeros = int(distribution.zeros[unit]) / max(1, int(distribution.values[unit]))
    words = (
        f"All values in {distribution.images} images; a bar is half an octave, its height "
        f"logarithmic; {zeros:.0%} are 0; the line is the level"
    )
    return Markup(
        f'<svg class="spread" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'role="img" aria-label="{words}"><title>{words}</title><path d="{drawn}"/>{mark}</svg>'
    )


def _along(value: float, smallest: float) -> float:
    """Bars from zero to a value, below zero for negative ones."""
    magnitude = abs(float(value))
    bars = PER_OCTAVE * math.log2(magnitude / smallest) if magnitude > smallest else 0.0
    return math.copysign(bars, value)
