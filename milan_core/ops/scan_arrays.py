"""The arrays of a stored scan state, checked before a state is made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops.spec import ScanSpec

Array = np.ndarray

_KINDS = {
    "nan": np.uint64,
    "zeros": np.uint64,
    "negatives": np.uint64,
    "cells": np.uint32,
    "bins": np.uint32,
    "counts": np.uint64,
    "keys": np.uint64,
    "maps": np.float32,
}


def repeated(keys: Array) -> tuple[int, int] | None:
    """The first (unit, image) for which keys (units, k) hold an image twice; None where none is."""
    images = np.where(keys > 0, ~keys & np.uint64(0xFFFFFFFF), np.uint64(2**32))
    images = np.sort(images, 1)
    again = (images[:, 1:] == images[:, :-1]) & (images[:, 1:] < 2**32)
    if not again.any():
        return None
    unit, place = np.argwhere(again)[0]
    return int(unit), int(images[unit, place])


def checked_arrays(arrays: Mapping[str, Array], spec: ScanSpec, images: int) -> dict[str, Array]:
    """Copies of the arrays of a stored state in the right form, or a `UserError`."""
    units, pixels = spec.units, spec.pixels if spec.keep_maps else 0
    shapes: dict[str, tuple[int, ...]] = {
        "keys": (units, spec.k),
        "maps": (units, spec.k, pixels),
        **dict.fromkeys(("nan", "zeros", "negatives", "cells"), (units,)),
    }
    out = {}
    for name, kind in _KINDS.items():
        array = arrays.get(name)
        if array is None:
            raise UserError(f"scan state: array {name!r} is missing")
        if array.dtype != kind or (name in shapes and array.shape != shapes[name]):
            raise UserError(
                f"scan state: array {name!r} is {array.dtype} {array.shape}, expected "
                f"{np.dtype(kind)} {shapes.get(name, '(cells,)')}"
            )
        out[name] = np.ascontiguousarray(array)
    total = int(out["cells"].sum(dtype=np.uint64))
    if out["bins"].shape != (total,) or out["counts"].shape != (total,):
        raise UserError(f"scan state: {total} cells announced, got {out['bins'].shape}")
    unit = np.repeat(np.arange(units), out["cells"])
    rising = (np.diff(out["bins"].astype(np.int64)) > 0) | (np.diff(unit) > 0)
    if not rising.all() or int(out["bins"].max(initial=0)) >= 1 << (9 + spec.bits):
        raise UserError("scan state: histogram cells are out of order or off the grid")
    values = images * spec.pixels
    parts = [out[name].astype(object) for name in ("nan", "zeros", "negatives")]
    if any((part > values).any() for part in [*parts, parts[0] + parts[1] + parts[2]]):
        raise UserError("scan state: more values counted than images hold")
    recorded = np.zeros(units, object)
    np.add.at(recorded, unit, out["counts"].astype(object))
    if (recorded + parts[0] + parts[1] > values).any() or (out["counts"] == 0).any():
        raise UserError("scan state: histogram counts do not fit the number of values")
    keys = out["keys"]
    if ((keys[:, 1:] >= keys[:, :-1]) & (keys[:, 1:] > 0)).any():
        raise UserError("scan state: top-k keys are not in falling order")
    if (keys > 0).sum(1).max(initial=0) > images:
        raise UserError("scan state: more top images than images seen")
    if twice := repeated(keys):
        raise UserError(f"scan state: image {twice[1]} is twice among the best of unit {twice[0]}")
    return out
