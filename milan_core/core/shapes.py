"""Declared types and shapes of arrays, checked before anything is computed from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

FLOATS = "floats"  # of any size


def check_arrays(
    arrays: Mapping[str, np.ndarray], declared: Mapping[str, str], **lengths: int
) -> None:
    """Refuse arrays that are not as declared.

    Args:
        arrays: by name; others than the declared ones are allowed.
        declared: type and axes of each array, as "float32 units 2": a type of NumPy or "floats",
            then one word for each axis, its length or a name. Axes of one name are equally long.
        lengths: known lengths of axes.

    Raises:
        ValueError: for an array that is missing, or of another type, number of axes or length.

    """
    known = dict(lengths)
    for name, form in declared.items():
        kind, *axes = form.split()
        if name not in arrays:
            raise ValueError(f"it has no array {name!r}")
        array = arrays[name]
        right_type = array.dtype.kind == "f" if kind == FLOATS else array.dtype == np.dtype(kind)
        if not right_type or array.ndim != len(axes):
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {form}")
        for axis, length in zip(axes, array.shape, strict=True):
            expected = int(axis) if axis.isdecimal() else known.setdefault(axis, length)
            if length != expected:
                raise ValueError(f"{name} has {length} {_axis(axis)}, expected {expected}")


def _axis(axis: str) -> str:
    return "columns" if axis.isdecimal() else axis
