"""The plain NumPy meaning of every native operation.

Slow and short on purpose: tests compare the native code with it byte for byte, and it stands in
when the extension is missing. Objects: `ScanReference` (the statistics of one scan),
`exact_levels`, `masks`, `area_weights`, `point_weights`, `pool_masks`, `beam_topk`, `overlap`, and
the number tricks they rest on, `ordered` and `from_ordered`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from milan_core.errors import UserError
from milan_core.ops.spec import ScanSpec, rank_from_top

Array = np.ndarray

#: Explicit mantissa bits per input type: with at most `bits` of them every bin holds one value.
MANTISSA_BITS = {"bfloat16": 7, "float16": 10, "float32": 23}
_LOW = np.uint64(0xFFFFFFFF)
_ZERO_ORDERED = 0x80000000
_POSITIVE_INFINITY = 0xFF800000
_NEGATIVE_INFINITY = 0x007FFFFF


def ordered(values: Array) -> Array:
    """uint32 in the order of the float32 `values`; -0 and +0 are the same number."""
    bits = (np.asarray(values, np.float32) + np.float32(0.0)).view(np.uint32)
    negative = (bits >> np.uint32(31)).astype(bool)
    return np.where(negative, ~bits, bits | np.uint32(_ZERO_ORDERED)).astype(np.uint32)


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


class ScanReference:
    """Running top-k and tail histogram of one scan, always in canonical form.

    The histogram is one sorted list of (unit << 32 | bin) with counts, from the bin of the
    rank-th largest value so far upwards: the wanted level can only be higher. Zeros are counted
    apart and are not in it: a dead unit's level is exactly 0. Everything kept is a function of the
    set of images seen, so any order of updates and merges gives equal states.
    """

    def __init__(self, spec: ScanSpec):
        self.spec = spec
        self.shift = np.uint32(23 - spec.bits)
        self.zero_bin = _ZERO_ORDERED >> int(self.shift)
        self.images = 0
        self.mantissa_bits = 0
        units = spec.units
        self.nan, self.zeros, self.negatives = (np.zeros(units, np.uint64) for _ in range(3))
        self.cells = np.zeros(0, np.uint64)  # [N] unit << 32 | bin, rising
        self.counts = np.zeros(0, np.uint64)  # [N]
        self._keys = np.zeros((units, spec.k), np.uint64)  # [U, k] falling; 0 is empty
        kept = spec.pixels if spec.keep_maps else 0
        self._maps = np.zeros((units, spec.k, kept), np.float32)  # [U, k, P]

    def update(self, activations: Any, ids: Array, threads: int = 1) -> None:
        """Add (B, U, H, W) or (B, U) activations of the images `ids`."""
        raw, dtype = widen(activations)
        values = raw.reshape(len(ids), self.spec.units, self.spec.pixels)  # [B, U, P]
        if self.spec.mode == "bottom":
            values = -values
        elif self.spec.mode == "magnitude":
            values = np.abs(values)
        missing = np.isnan(values)
        self.images += len(ids)
        self.mantissa_bits = max(self.mantissa_bits, MANTISSA_BITS[dtype])
        self.nan += missing.sum((0, 2), dtype=np.uint64)
        self.zeros += (values == 0).sum((0, 2), dtype=np.uint64)
        self.negatives += (values < 0).sum((0, 2), dtype=np.uint64)

        best = np.where(missing, -np.inf, values).max(2)  # [B, U]
        keys = ordered(best).astype(np.uint64) << np.uint64(32)
        keys |= np.uint64(0xFFFFFFFF) - np.asarray(ids, np.uint64)[:, None]
        keys[missing.all(2)] = 0
        self._offer(keys.T, values.transpose(1, 0, 2))

        bins = (ordered(np.where(missing, 0, values)) >> self.shift).astype(np.uint64)
        unit = np.arange(self.spec.units, dtype=np.uint64)[None, :, None] << np.uint64(32)
        cells, counts = np.unique((bins | unit)[~missing & (values != 0)], return_counts=True)
        self._add(cells, counts.astype(np.uint64))

    def merge(self, other: ScanReference) -> None:
        """Take in another state of the same spec."""
        self.images += other.images
        self.mantissa_bits = max(self.mantissa_bits, other.mantissa_bits)
        self.nan += other.nan
        self.zeros += other.zeros
        self.negatives += other.negatives
        self._offer(other._keys, other._maps)
        self._add(other.cells, other.counts)

    def _offer(self, keys: Array, maps: Array) -> None:
        """Keep the k largest of the own keys and `keys` (units, n) with maps (units, n, P)."""
        k = self.spec.k
        both = np.concatenate([self._keys, keys], 1)
        order = np.argsort(~both, axis=1, kind="stable")[:, :k]
        self._keys = np.take_along_axis(both, order, 1)
        if self._maps.size == 0:
            return
        for unit in np.flatnonzero((order != np.arange(k)).any(1)):
            every = np.concatenate([self._maps[unit], maps[unit]])
            self._maps[unit] = np.where(self._keys[unit][:, None] > 0, every[order[unit]], 0)

    def _add(self, cells: Array, counts: Array) -> None:
        """Add histogram cells, then drop what can no longer matter."""
        every, inverse = np.unique(np.concatenate([self.cells, cells]), return_inverse=True)
        total = np.zeros(len(every), np.uint64)
        np.add.at(total, inverse, np.concatenate([self.counts, counts]))
        self.cells, self.counts = every, total
        keep = np.zeros(len(every), bool)
        for unit, part in enumerate(self._parts()):
            bins, above = self._walk(unit)
            reached = np.flatnonzero(above >= self.spec.rank)
            floor = bins[reached[0]] if len(reached) else 0
            keep[part] = (every[part] & _LOW) >= np.uint64(floor)
        self.cells, self.counts = every[keep], total[keep]

    def _parts(self) -> list[slice]:
        """Where the cells of each unit lie."""
        first = np.arange(self.spec.units + 1, dtype=np.uint64) << np.uint64(32)
        bounds = np.searchsorted(self.cells, first)
        return [slice(*pair) for pair in itertools.pairwise(bounds)]

    def _walk(self, unit: int) -> tuple[Array, Array]:
        """(bins from the top with that of zero in its place, values down to and with each)."""
        part = self._parts()[unit]
        bins = (self.cells[part] & _LOW).astype(np.int64)[::-1]
        counts = self.counts[part].astype(np.int64)[::-1]
        positives = int((bins >= self.zero_bin).sum())
        bins = np.insert(bins, positives, self.zero_bin)
        return bins, np.cumsum(np.insert(counts, positives, int(self.zeros[unit])))

    def values(self) -> Array:
        """uint64 [U]: values seen, without NaN."""
        return np.uint64(self.images * self.spec.pixels) - self.nan

    def keys(self) -> Array:
        """uint64 [U, k] top-k keys, falling."""
        return self._keys.copy()

    def maps(self) -> Array:
        """float32 [U, k, P] maps of the top images."""
        return self._maps.copy()

    def counters(self) -> dict[str, Array]:
        """uint64 [U] each: zeros, negatives, nan."""
        return {
            "zeros": self.zeros.copy(),
            "negatives": self.negatives.copy(),
            "nan": self.nan.copy(),
        }

    def levels(self, quantile: float) -> Array:
        """float32 [U] levels for one quantile; NaN for a unit without values."""
        found = [self._level(unit, quantile) for unit in range(self.spec.units)]
        return np.array(found, np.float32)

    def _level(self, unit: int, quantile: float) -> float:
        seen = int(self.values()[unit])
        if not seen:
            return float("nan")
        rank = rank_from_top(quantile, seen)
        largest = float(from_ordered(self._keys[unit, :1] >> np.uint64(32))[0])
        if rank == 1:
            return largest
        bins, above = self._walk(unit)
        at = int(np.flatnonzero(above >= rank)[0])
        before = int(above[at - 1]) if at else 0
        positives = seen - int(self.zeros[unit]) - int(self.negatives[unit])
        if positives < rank <= positives + int(self.zeros[unit]):
            return 0.0
        return self._inside(int(bins[at]), rank - before, int(above[at]) - before, largest)

    def _inside(self, where: int, rank: int, count: int, largest: float) -> float:
        """The `rank`-th largest of `count` values spread evenly over bin `where`."""
        if where == _POSITIVE_INFINITY >> int(self.shift):
            return float("inf")
        if where == _NEGATIVE_INFINITY >> int(self.shift):
            return float("-inf")
        low, high = (float(edge[0]) for edge in bin_edges(np.array([where]), self.spec.bits))
        if 0 < self.mantissa_bits <= self.spec.bits:
            return low if where >= self.zero_bin else high
        high = min(high, largest)
        return float(np.float32(high - (high - low) * ((rank - 0.5) / count)))

    def export(self) -> dict[str, Array]:
        """The canonical arrays of the state; `ScanState.to_arrays` documents them."""
        unit_of = (self.cells >> np.uint64(32)).astype(np.int64)
        bins = (self.cells & _LOW).astype(np.uint32)
        return {
            **self.counters(),
            "cells": np.bincount(unit_of, minlength=self.spec.units).astype(np.uint32),
            "bins": bins,
            "counts": self.counts.copy(),
            "keys": self.keys(),
            "maps": self.maps(),
        }

    def load(self, arrays: dict[str, Array], images: int, mantissa_bits: int) -> None:
        """Take over checked arrays of `export`."""
        self.images, self.mantissa_bits = images, mantissa_bits
        self.nan, self.zeros = arrays["nan"].copy(), arrays["zeros"].copy()
        self.negatives = arrays["negatives"].copy()
        unit = np.repeat(np.arange(self.spec.units, dtype=np.uint64), arrays["cells"])
        self.cells = (unit << np.uint64(32)) | arrays["bins"]
        self.counts, self._keys = arrays["counts"].copy(), arrays["keys"].copy()
        self._maps = arrays["maps"].copy()


def axis_weights(source: int, target: int, border: str) -> tuple[Array, Array, Array]:
    """(first source index, its weight, weight of the next) for each of `target` pixels, float32.

    The NetDissect grid: half-pixel centres expressed in the corner-aligned coordinates of
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


def overlap(a: Array, b: Array) -> tuple[Array, Array]:
    """(pixels in both, pixels in either) of packed masks (N, bytes)."""
    both = np.bitwise_count(a & b).sum(-1, dtype=np.int64)
    return both, np.bitwise_count(a | b).sum(-1, dtype=np.int64)


def area_weights(bits: Array, h: int, w: int) -> Array:
    """float32 (M, h, w): share of each grid cell covered by the masks (M, H, W).

    Overlaps are counted in integers, in units of 1/h by 1/w of a pixel, and rounded once.
    """
    rows, columns = _cover(h, bits.shape[1]), _cover(w, bits.shape[2])
    covered = np.einsum("ih,mhw,jw->mij", rows, bits.astype(np.int64), columns)
    return (covered / float(bits.shape[1] * bits.shape[2])).astype(np.float32)


def point_weights(bits: Array, h: int, w: int) -> Array:
    """float32 (M, h, w): the masks (M, H, W) sampled bilinearly at the centre of each cell.

    Half-pixel centres and a clamped border, as `torch.nn.functional.interpolate` without
    antialiasing: the published method (spec 4.1), which skips most pixels of a fine mask.
    """
    top, bottom, down = _centres(bits.shape[1], h)
    left, right, along = _centres(bits.shape[2], w)
    one, values = np.float32(1), bits.astype(np.float32)
    upper = (one - along) * values[:, top][:, :, left] + along * values[:, top][:, :, right]
    lower = (one - along) * values[:, bottom][:, :, left] + along * values[:, bottom][:, :, right]
    return (one - down)[:, None] * upper + down[:, None] * lower


def _centres(pixels: int, cells: int) -> tuple[Array, Array, Array]:
    """(pixel before, pixel after, float32 weight of the latter) at the centre of each cell."""
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
