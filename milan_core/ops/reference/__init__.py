"""The plain NumPy meaning of every native operation.

Slow and short on purpose: tests compare the native code with it byte for byte, and it stands in
when the extension is missing. Scans have theirs in `scan_reference`; here are the number tricks
they rest on, `ordered` and `from_ordered`, and masks, pooling, beams, levels of values in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops.spec import rank_from_top

Array = np.ndarray

#: Explicit mantissa bits per input type: with at most `bits` of them every bin holds one value.
MANTISSA_BITS = {"bfloat16": 7, "float16": 10, "float32": 23}
ZERO_ORDERED = 0x80000000
POSITIVE_INFINITY = 0xFF800000
NEGATIVE_INFINITY = 0x007FFFFF


def ordered(values: Array) -> Array:
    """uint32 in the order of the float32 `values`; -0 and +0 are the same number."""
    bits = (np.asarray(values, np.float32) + np.float32(0.0)).view(np.uint32)
    negative = (bits >> np.uint32(31)).astype(bool)
    return np.where(negative, ~bits, bits | np.uint32(ZERO_ORDERED)).astype(np.uint32)


def from_ordered(codes: Array) -> Array:
    """float32 values of `ordered` codes."""
    codes = np.asarray(codes, np.uint32)
    positive = (codes >> np.uint32(31)).astype(bool)
    return (
        np.where(positive, codes & np.uint32(0x7FFFFFFF), ~codes).astype(np.uint32).view(np.float32)
    )


def widen(activations: Any) -> tuple[Array, str]:
    """(float32 array, name of the original type) of a NumPy, ml_dtypes or torch CPU array."""
    name = str(activations.dtype).rsplit(".", 1)[-1]
    if name not in MANTISSA_BITS:
        raise UserError(
            f"activations must be float32, bfloat16 or float16, got {name}; convert them first"
        )
    if isinstance(activations, np.ndarray):
        return activations.astype(np.float32), name
    return np.asarray(activations.detach().float().numpy()), name


def exact_levels(values: Array, quantile: float) -> Array:
    """Exact order-statistic level of each row of `values` (units, n), without NaN; NaN if empty."""
    out = np.full(len(values), np.nan, np.float32)
    for unit, row in enumerate(np.asarray(values, np.float32)):
        kept = row[~np.isnan(row)]
        if kept.size:
            index = kept.size - rank_from_top(quantile, kept.size)
            out[unit] = np.partition(kept, index)[index] + np.float32(0.0)
    return out


def bin_edges(bins: Array, bits: int) -> tuple[Array, Array]:
    """(smallest, largest) float32 of each histogram bin of `bits` mantissa bits."""
    shift = np.uint32(23 - bits)
    first = np.asarray(bins, np.uint32) << shift
    return from_ordered(first), from_ordered(first | ((np.uint32(1) << shift) - np.uint32(1)))


def axis_weights(source: int, target: int, border: str) -> tuple[Array, Array, Array]:
    """(first source index, its weight, weight of the next) for each of `target` pixels, float32.

    The NetDissect grid: half-pixel centers expressed in the corner-aligned coordinates of
    `grid_sample`; with border "zeros" the samples outside the map are 0, so edge pixels fade.
    """
    f = np.float32
    scale = target / source
    offset = f(0.5 * scale - 0.5)
    step = f(2.0 / (scale * max(1, source - 1)))
    grid = (np.arange(target, dtype=np.float32) - offset) * step - f(1)
    where = ((grid + f(1)) / f(2)) * f(source - 1)
    if border == "clamp":
        where = np.clip(where, f(0), f(source - 1))
    first = np.floor(where)
    after = where - first
    before = f(1) - after
    before[(first < 0) | (first >= source)] = 0
    after[(first + 1 < 0) | (first + 1 >= source)] = 0
    return first.astype(np.int64), before, after


def masks(maps: Array, levels: Array, height: int, width: int, border: str) -> Array:
    """Packed masks (M, height, ceil(width / 8)) of maps (M, h, w) above `levels` (M,)."""
    rows, y0, y1 = axis_weights(maps.shape[1], height, border)
    columns, x0, x1 = axis_weights(maps.shape[2], width, border)
    framed = np.pad(np.asarray(maps, np.float32), ((0, 0), (1, 2), (1, 2)))
    with np.errstate(invalid="ignore", over="ignore"):
        wide = framed[:, :, columns + 1] * x0 + framed[:, :, columns + 2] * x1
        full = wide[:, rows + 1] * y0[:, None] + wide[:, rows + 2] * y1[:, None]
        return pack(full > np.asarray(levels, np.float32)[:, None, None])


def pack(bits: Array) -> Array:
    """Little-endian bit rows of a boolean array (..., W): (..., ceil(W / 8)) bytes."""
    return np.packbits(np.asarray(bits, bool), axis=-1, bitorder="little")


def unpack(packed: Array, width: int) -> Array:
    """Boolean array (..., width) of packed rows."""
    return np.unpackbits(packed, axis=-1, count=width, bitorder="little").astype(bool)


def count_pairs(a: Array, b: Array, how: str) -> Array:
    """int64 (N,): pixels of packed masks `a` (N, bytes) joined with `b`: "and", "or", "andnot"."""
    joined = {"and": a & b, "or": a | b, "andnot": a & ~b}[how]
    return np.bitwise_count(joined).sum(-1, dtype=np.int64)


def area_weights(bits: Array, h: int, w: int) -> Array:
    """float32 (M, h, w): share of each grid cell covered by the masks (M, H, W).

    Overlaps are counted in integers, in units of 1/h by 1/w of a pixel, and rounded once.
    """
    rows, columns = _cover(h, bits.shape[1]), _cover(w, bits.shape[2])
    covered = np.einsum("ih,mhw,jw->mij", rows, bits.astype(np.int64), columns)
    return (covered / float(bits.shape[1] * bits.shape[2])).astype(np.float32)


def point_weights(bits: Array, h: int, w: int) -> Array:
    """float32 (M, h, w): the masks (M, H, W) sampled bilinearly at the center of each cell.

    Half-pixel centers and a clamped border, as `torch.nn.functional.interpolate` without
    antialiasing: the published method (spec 4.1), which skips most pixels of a fine mask.
    """
    top, bottom, down = _centres(bits.shape[1], h)
    left, right, along = _centres(bits.shape[2], w)
    one, values = np.float32(1), bits.astype(np.float32)
    upper = (one - along) * values[:, top][:, :, left] + along * values[:, top][:, :, right]
    lower = (one - along) * values[:, bottom][:, :, left] + along * values[:, bottom][:, :, right]
    return (one - down)[:, None] * upper + down[:, None] * lower


def _centres(pixels: int, cells: int) -> tuple[Array, Array, Array]:
    """(pixel before, pixel after, float32 weight of the latter) at the center of each cell."""
    scale = np.float32(pixels) / np.float32(cells)
    where = (np.arange(cells, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    where = np.maximum(where, np.float32(0))
    first = np.minimum(where.astype(np.int64), pixels - 1)
    return first, np.minimum(first + 1, pixels - 1), where - first.astype(np.float32)


def pool_masks(maps: Array, rows: Array, bits: Array, how: str) -> Array:
    """float32 (M, C): weighted mean of maps[rows] (n, C, h, w) under the masks (M, H, W).

    Products and sums in double, cell by cell in rising order, cells of weight 0 left out.
    """
    height, width = maps.shape[2:]
    out = np.zeros((len(rows), maps.shape[1]), np.float32)
    for slot, row in enumerate(rows):
        if how == "area":
            cover = _cover(height, bits.shape[1]) @ bits[slot].astype(np.int64)
            weights = (cover @ _cover(width, bits.shape[2]).T).ravel().astype(float)
        else:
            weights = point_weights(bits[slot : slot + 1], height, width).ravel().astype(float)
        cells = np.flatnonzero(weights)
        if row < 0 or not len(cells):
            continue
        features = maps[row].reshape(maps.shape[1], -1).astype(float)
        total, sums = 0.0, np.zeros(maps.shape[1])
        for cell in cells:
            sums += weights[cell] * features[:, cell]
            total += weights[cell]
        out[slot] = sums / total
    return out


def _cover(cells: int, pixels: int) -> Array:
    """int64 [cells, pixels]: how much of each pixel a cell covers, in units of 1 / cells."""
    cell, pixel = np.arange(cells)[:, None], np.arange(pixels)[None]
    high = np.minimum((cell + 1) * pixels, (pixel + 1) * cells)
    return np.maximum(0, high - np.maximum(cell * pixels, pixel * cells))


def beam_topk(
    scores: Array, costs: Array, place: Array, stop: int, width: int, normalise: bool = False
) -> tuple[Array, Array, Array]:
    """The `width` best continuations of each unit: (beam, token, score), each (N, width).

    `place` int64 (N, B) is the row of `costs` (R, V) of every beam, -1 for a finished one.
    """
    number, words = len(scores), costs.shape[-1]
    if normalise:
        exact = costs.astype(np.float64)
        top = exact.max(1, keepdims=True) if len(exact) else exact
        norm = np.log(np.exp(exact - top).sum(1, keepdims=True)) + top
        costs = costs - norm.astype(np.float32)
    finished = place < 0
    step = np.zeros((*place.shape, words), np.float32)
    step[~finished] = costs[place[~finished]]
    total = scores[:, :, None] + step
    allowed = np.broadcast_to(~finished[:, :, None], total.shape).copy()
    allowed[:, :, stop] = True
    total[:, :, stop] = np.where(finished, scores, total[:, :, stop])
    code = ordered(np.where(np.isnan(total), 0, total)).astype(np.uint64)
    code[np.isnan(total)] = 0  # NaN comes after everything, -inf included
    key = (code.reshape(number, -1) << np.uint64(32)) | np.uint64(0xFFFFFFFF)
    key -= np.arange(key.shape[1], dtype=np.uint64)
    key[~allowed.reshape(number, -1)] = 0
    order = np.argsort(~key, axis=1, kind="stable")[:, :width]
    score = np.take_along_axis(total.reshape(number, -1), order, 1)
    return order // words, order % words, score.astype(np.float32)
