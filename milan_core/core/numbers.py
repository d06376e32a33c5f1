"""Numbers of tables as text, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

DASH = "–"
CONSTANT = 1e-6  # of the mean: deviation up to which values count as equal


def is_whole(text: str) -> bool:
    """Whether a text is a whole number from 0 that fits 64 bits; "²" is a digit and no number."""
    return text.strip().isdecimal() and len(text) <= 18


def counted(count: int, thing: str) -> str:
    """How many of a thing there are, such as "1 unit" and "2 units"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def number(cell: Any) -> float:
    """A table cell as a number; an empty or absent one is NaN."""
    return math.nan if cell in ("", None) else float(cell)


def finite(cell: str) -> float:
    """A table cell as a number that can be drawn.

    Raises:
        ValueError: as `float`, which a step's run turns into a sentence; for infinity and NaN too.

    """
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(f"no finite number: {cell!r}")
    return value


def mean_or_nan(values: Any) -> float:
    """The mean of an array; NaN of an empty one."""
    return float(values.mean()) if len(values) else math.nan


def added(values: Iterable[float]) -> float:
    """The sum from left to right, each addition rounded to double precision.

    Since Python 3.12 the built-in `sum` of floats corrects its rounding, so its last digit depends
    on the version; tables must not.
    """
    total = 0.0
    for value in values:
        total += value
    return total


def varies(mean: Any, deviation: Any) -> Any:
    """Whether values spread beyond the rounding of their sums: bool arrays or tensors.

    The deviation of equal values is zero only where their mean is exact: that of 0.1 may be 1e-17.
    """
    return deviation > CONSTANT * abs(mean)


def number_lines(rows: Iterable[Iterable[float]], form: str) -> str:
    """Rows of numbers as lines of CSV, each number in the format `form`, such as "{:.5e}"."""
    return "".join(",".join(form.format(number) for number in row) + "\n" for row in rows)


def percent(value: float) -> str:
    """A share as a whole percentage, or a dash for NaN."""
    return DASH if math.isnan(value) else f"{100 * value:.0f}%"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return signed(100 * difference, 0) + " points"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign and a true minus, or a dash for NaN."""
    if math.isnan(value):
        return DASH
    rounded = round(value, digits) + 0.0
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else '±'}{abs(rounded):.{digits}f}"


def plainly(value: float, digits: int = 1) -> str:
    """A number with a fixed number of decimals, or a dash for NaN."""
    return DASH if math.isnan(value) else f"{value:.{digits}f}"
