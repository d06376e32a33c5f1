"""The plain NumPy meaning of a scan: slow and short on purpose, equal to the native one in bytes.

Tests compare the native code with it, and it stands in when the extension is missing.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from milan_core.ops.reference import (
    MANTISSA_BITS,
    NEGATIVE_INFINITY,
    POSITIVE_INFINITY,
    ZERO_ORDERED,
    bin_edges,
    from_ordered,
    ordered,
    widen,
)
from milan_core.ops.spec import ScanSpec, rank_from_top

Array = np.ndarray
_LOW = np.uint64(0xFFFFFFFF)


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
        self.zero_bin = ZERO_ORDERED >> int(self.shift)
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
        self.update_maxima(activations, ids, threads)

    def update_maxima(self, activations: Any, ids: Array, threads: int = 1) -> Array:
        """The same, giving the largest value of each map: float32 [B, U]."""
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
        return best.astype(np.float32)

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
        """The positions of each unit's cells."""
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
        if where == POSITIVE_INFINITY >> int(self.shift):
            return float("inf")
        if where == NEGATIVE_INFINITY >> int(self.shift):
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
