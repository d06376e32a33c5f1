"""Masks of exemplar maps: up-sampling, threshold, packed rows, areas, overlaps, pooling.

A packed mask is uint8 (height, ceil(width / 8)): one bit a pixel, the lowest bit leftmost, the
unused bits of a row 0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops import reference
from milan_core.ops.backend import native

Array = np.ndarray

BORDERS = ("zeros", "clamp")
POOLINGS = ("area", "points")
_COMBINE: dict[str, Callable[[Array, Array], Array]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "andnot": lambda a, b: np.bitwise_and(a, np.bitwise_not(b)),
}


def masks(
    maps: Any,
    levels: Any,
    size: int | tuple[int, int],
    border: str = "zeros",
    threads: int = 1,
) -> Array:
    """Packed masks uint8 (M, H, ceil(W / 8)): up-sampled `maps` (M, h, w) above `levels` (M,).

    Bilinear on the NetDissect grid in float32; a pixel is on when its value is strictly above the
    level. Border "zeros" blends the edge with zero as the published method does; "clamp" repeats
    it.
    """
    maps, levels = _array(maps, "maps"), _array(levels, "levels")
    height, width = sides(size)
    if maps.ndim != 3 or maps.dtype != np.float32 or 0 in maps.shape[1:]:
        raise UserError(f"masks: maps must be float32 (M, h, w), got {maps.dtype} {maps.shape}")
    if levels.shape != maps.shape[:1] or levels.dtype != np.float32:
        raise UserError(
            f"masks: levels must be float32 {maps.shape[:1]}, got {levels.dtype} {levels.shape}"
        )
    if border not in BORDERS:
        raise UserError(f"masks: border must be one of {', '.join(BORDERS)}, got {border!r}")
    core = native()
    if core is None:
        return reference.masks(maps, levels, height, width, border)
    return core.masks(maps, levels, height, width, border == "clamp", max(1, int(threads)))


def sides(size: Any) -> tuple[int, int]:
    """(height, width) of a size of masks: one number, or two."""
    try:
        height, width = (size, size) if isinstance(size, Integral) else size
        height, width = operator.index(height), operator.index(width)
    except (TypeError, ValueError):
        height = width = 0
    if not (0 < height < 2**15 and 0 < width < 2**15):
        raise UserError(f"masks: size must be one or two whole numbers in 1..32767, got {size!r}")
    return height, width


def _array(values: Any, name: str) -> Array:
    try:
        return np.asarray(values)
    except (TypeError, RuntimeError) as error:  # of torch: bfloat16, a gradient, a device
        raise UserError(f"masks: {name} must be a float32 NumPy array; {error}") from None


def pack_masks(bits: Any) -> Array:
    """Packed rows uint8 (..., H, ceil(W / 8)) of boolean masks (..., H, W)."""
    return reference.pack(np.asarray(bits))


def unpack_masks(packed: Any, width: int) -> Array:
    """Boolean masks (..., H, width) of packed rows (..., H, ceil(width / 8))."""
    return reference.unpack(_packed(packed, "unpack_masks", width), width)


def mask_areas(packed: Any, threads: int = 1) -> Array:
    """int64 (...): pixels that are on in each packed mask (..., H, row bytes)."""
    return mask_counts(packed, packed, "and", threads)


def mask_counts(a: Any, b: Any, how: str = "and", threads: int = 1) -> Array:
    """int64: pixels of `a` joined with `b` ("and", "or", "andnot"), leading axes broadcast.

    `mask_counts(a[:, None], b[None])` compares every pair without copying a mask. Threads share the
    pairs.
    """
    a, b = _packed(a, "mask_counts"), _packed(b, "mask_counts")
    if how not in _COMBINE:
        raise UserError(f"mask_counts: how must be one of {', '.join(_COMBINE)}, got {how!r}")
    if a.shape[-2:] != b.shape[-2:]:
        raise UserError(f"mask_counts: mask sizes differ: {a.shape[-2:]} and {b.shape[-2:]}")
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows_a, index_a = _rows(a, lead)
    rows_b, index_b = _rows(b, lead)
    core = native()
    if core is None:
        return reference.count_pairs(rows_a[index_a], rows_b[index_b], how).reshape(lead)
    code = list(_COMBINE).index(how)
    found = core.count_pairs(code, rows_a, rows_b, index_a, index_b, max(1, int(threads)))
    return np.asarray(found).reshape(lead)


def mask_overlap(a: Any, b: Any, threads: int = 1) -> tuple[Array, Array]:
    """(pixels in both, pixels in either), int64, of packed masks with broadcast leading axes.

    Areas are counted once for each mask, so that many pairs cost one count each.
    """
    both = mask_counts(a, b, "and", threads)
    return both, mask_areas(a, threads) + mask_areas(b, threads) - both


def mask_combine(a: Any, b: Any, how: str = "and") -> Array:
    """Packed masks of `a` and `b` joined pixel by pixel: "and", "or" or "andnot"."""
    if how not in _COMBINE:
        raise UserError(f"mask_combine: how must be one of {', '.join(_COMBINE)}, got {how!r}")
    return _COMBINE[how](_packed(a, "mask_combine"), _packed(b, "mask_combine"))


def area_weights(masks: Any, h: int, w: int, width: int | None = None) -> Array:
    """float32 (M, h, w): share of each cell of an h x w grid that each mask covers.

    `masks` is boolean (M, H, W), or packed uint8 (M, H, row bytes) with `width` W (default: all the
    bits of a row). Partly covered pixels count by their exact share.
    """
    masks = np.asarray(masks)
    if masks.ndim != 3 or masks.dtype not in (np.bool_, np.uint8):
        raise UserError(
            f"area_weights: masks must be bool or packed uint8 (M, H, W), got {masks.dtype} "
            f"{masks.shape}"
        )
    if masks.dtype == np.bool_:
        width, masks = masks.shape[2], pack_masks(masks)
    width = masks.shape[2] * 8 if width is None else int(width)
    packed = _packed(masks, "area_weights", width)
    if not (0 < h < 2**15 and 0 < w < 2**15):
        raise UserError(f"area_weights: the grid must be in 1..32767, got {(h, w)}")
    core = native()
    if core is None:
        return reference.area_weights(reference.unpack(packed, width), h, w)
    return core.cell_weights(np.ascontiguousarray(packed), width, h, w, False)


def pool_masks(
    maps: Any, rows: Any, masks: Any, width: int, how: str = "area", threads: int = 1
) -> Array:
    """float32 (M, C): the mean of a feature map under each mask, all masks of an image together.

    Args:
        maps: float32 or float16 (n, C, h, w), used in place when it has no gaps, so that a memory
            map is read once and never copied.
        rows: int (M,), which map each mask belongs to; -1 for none.
        masks: packed uint8 (M, H, row bytes) of `width` pixels.
        width: pixels in a row of a mask.
        how: "area" weights each cell of the map by the exact area that the mask covers there;
            "points" samples the mask at the center of each cell, as the published method did.
        threads: they share the images; the result does not depend on them.

    Returns:
        Weighted means, summed in double and rounded once; zeros where a mask is empty or row is -1.

    """
    maps, rows = np.asarray(maps), np.asarray(rows)
    packed = _packed(masks, "pool_masks", width)
    if maps.ndim != 4 or maps.dtype not in (np.float32, np.float16) or 0 in maps.shape[1:]:
        raise UserError(
            f"pool_masks: maps must be float32 or float16 (n, C, h, w), got {maps.dtype} "
            f"{maps.shape}"
        )
    if rows.dtype.kind not in "iu" or packed.ndim != 3 or rows.shape != packed.shape[:1]:
        raise UserError(
            f"pool_masks: expected one row number for each mask (M, H, row bytes), got "
            f"{rows.dtype} {rows.shape} and {packed.shape}"
        )
    if rows.size and not -1 <= int(rows.min()) <= int(rows.max()) < len(maps):
        raise UserError(f"pool_masks: rows must be in -1..{len(maps) - 1}, the rows of the maps")
    if how not in POOLINGS:
        raise UserError(f"pool_masks: how must be one of {', '.join(POOLINGS)}, got {how!r}")
    core = native()
    if core is None:
        return reference.pool_masks(maps, rows, reference.unpack(packed, width), how)
    return core.pool_masks(
        np.ascontiguousarray(maps),
        rows.astype(np.int64),
        np.ascontiguousarray(packed),
        int(width),
        how == "points",
        max(1, int(threads)),
    )


def _packed(masks: Any, where: str, width: int | None = None) -> Array:
    masks = np.asarray(masks)
    if masks.ndim < 2 or masks.dtype != np.uint8 or 0 in masks.shape[-2:]:
        raise UserError(
            f"{where}: packed masks are uint8 (..., H, row bytes), got {masks.dtype} {masks.shape}"
        )
    if width is not None and (width + 7) // 8 != masks.shape[-1]:
        raise UserError(
            f"{where}: rows of {masks.shape[-1]} bytes cannot be masks of width {width}"
        )
    return masks


def _rows(masks: Array, lead: tuple[int, ...]) -> tuple[Array, Array]:
    """(the distinct masks as byte rows, which of them stands at each place of `lead`)."""
    flat = np.ascontiguousarray(masks).reshape(-1, masks.shape[-2] * masks.shape[-1])
    index = np.arange(len(flat), dtype=np.int64).reshape(masks.shape[:-2])
    return flat, np.ascontiguousarray(np.broadcast_to(index, lead)).reshape(-1)
