"""Masked pooling: the mean of every map of an image under every mask on that image.

Maps depend on the image alone, so all masks of an image are one matrix product. A mask weights each
cell of a map by the exact area it covers there ("area"). The published encoder read four mask
pixels a cell ("bilinear"), which loses small regions on coarse maps (specification 6.2, defect 26);
it is kept for captioners that were trained on such features.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from milan_core import ops
from milan_core.captioner.features.options import Pooling
from milan_core.core.arrays import drop_pages
from milan_core.core.errors import UserError, unknown
from milan_core.core.seeding import generator
from milan_core.exemplars.store import ExemplarSet

Masking = Literal["exact", "shuffled", "whole"]
MASKINGS: tuple[Masking, ...] = ("exact", "shuffled", "whole")
OPERATIONS = {"area": "area", "bilinear": "points"}
"""Choices of `Pooling.resize`, and their names in `ops.pool_masks`."""
DEFAULT = Pooling()
Empty = Callable[[tuple[int, ...], Any], np.ndarray]
_SLOTS = 4096  # exemplars pooled together: bounds the memory of their masks

Pick = Callable[[np.ndarray], np.ndarray]
"""Flat exemplar numbers of a layer (n,) to packed masks uint8 (n, S, ceil(S/8))."""


@dataclass(frozen=True)
class MaskedLayer:
    """The exemplars of one layer: image ids int64 [U, k] (-1: none), and their masks on demand."""

    name: str
    ids: np.ndarray
    masks: Pick

    def masked(self, masking: Masking, size: int, seed: int) -> Pick:
        """The source of the masks: this exemplar, another unit's, or none (the whole image)."""
        if masking not in MASKINGS:
            raise unknown("masking", str(masking), MASKINGS)
        if masking == "whole":
            full = ops.pack_masks(np.ones((1, size, size), bool))
            return lambda slots: np.broadcast_to(full, (len(slots), *full.shape[1:]))
        if masking == "shuffled":
            donors = _donors(self.ids.shape, seed, self.name)
            return lambda slots: self.masks(donors[slots])
        return self.masks


def _donors(shape: tuple[int, ...], seed: int, layer: str) -> np.ndarray:
    """Flat number of the exemplar whose mask each exemplar is given: a random cycle of units.

    The masks of a layer's only unit go to its next exemplar instead.
    """
    slots, units = np.arange(np.prod(shape)).reshape(shape), shape[0]
    order = generator(seed, "shuffled masks", layer).permutation(units)
    if units == 1:
        return np.roll(slots, 1, axis=1).ravel()
    donor = np.empty_like(order)
    donor[order] = np.roll(order, 1)
    return slots[donor].ravel()


def masked_layer(exemplars: ExemplarSet, name: str, size: int) -> MaskedLayer:
    """A mined layer with its masks of `size` pixels."""
    packed = exemplars.packed_masks(name, size)
    flat = packed.reshape(-1, *packed.shape[2:])
    return MaskedLayer(name, exemplars.ids(name), lambda slots: flat[slots])


def pool_exemplars(
    maps: Sequence[np.ndarray],
    index: np.ndarray,
    exemplars: ExemplarSet,
    mask_size: int = 224,
    layer: str | None = None,
    *,
    masking: Masking = "exact",
    pooling: Pooling = DEFAULT,
    seed: int = 0,
    threads: int = 1,
) -> np.ndarray:
    """Mean of each map under each exemplar's mask, the levels side by side.

    Args:
        maps: one (n, C, h, w) array a level.
        index: int (N,), row in `maps` of each image id.
        exemplars: a whole set.
        mask_size: pixels of a mask's side.
        layer: one layer, or None for all of them below each other, in mining order.
        masking: ``exact`` pools under the exemplar's own mask, ``shuffled`` under the mask of
            another unit of the layer, ``whole`` over the whole image (controls of the features).
        pooling: how a mask shrinks to a map, and whether the share of the image that it covers is
            the last feature.
        seed: of the shuffling.
        threads: of the pooling; the bytes are the same for any number.

    Returns:
        float32 (U, k, F), F = sum of C (+ 1). Empty masks and empty slots give zeros.

    """
    names = exemplars.layers if layer is None else [layer]
    parts = []
    for name in names:
        source = masked_layer(exemplars, name, mask_size)
        pick = source.masked(masking, mask_size, seed)
        rows, again = _rows(index, source.ids, name), slice(None)
        slots = np.arange(source.ids.size)
        if masking == "whole":
            rows, slots, again = _once(rows)
        pooled = pool_slots(maps, rows, pick(slots), mask_size, pooling, threads)[again]
        parts.append(pooled.reshape(*source.ids.shape, -1))
    return np.concatenate(parts)


def pool_images(
    batches: Iterable[tuple[np.ndarray, Sequence[Any]]],
    layers: Sequence[MaskedLayer],
    size: int,
    *,
    maskings: Sequence[Masking] = ("exact",),
    pooling: Pooling = DEFAULT,
    seed: int = 0,
    empty: Empty = np.zeros,
    dtype: Any = np.float32,
    threads: int = 1,
) -> dict[Masking, np.ndarray]:
    """Pool every image's maps as they come, so that no more than one batch of maps is kept.

    Args:
        batches: (image ids, maps (n, C, h, w) a level, arrays or tensors) of the used images, ids
            ascending over all batches.
        layers: where the masks lie.
        size: pixels of a mask's side.
        maskings: which ones, see `pool_exemplars`.
        pooling: see there.
        seed: of the shuffled masks.
        empty: makes the arrays of the result, all zeros; the pages of mapped ones are dropped after
            each batch.
        dtype: of the result.
        threads: of the pooling; the bytes are the same for any number.

    Returns:
        {masking: (sum of U, k, F)}; every layer must have the same k.

    """
    slots_of = Slots(layers, size, maskings, seed)
    result: dict[Masking, np.ndarray] = {}
    for masking, slots, pooled in slots_of.pool(batches, pooling, threads):
        if masking not in result:
            result[masking] = empty((slots_of.count, pooled.shape[1]), dtype)
        result[masking][slots] = pooled
        drop_pages(result[masking])
    k = layers[0].ids.shape[1]
    return {masking: array.reshape(-1, k, array.shape[1]) for masking, array in result.items()}


class Slots:
    """All exemplars of some layers, with masks of `size` pixels, found by the image that they show.

    A slot is an exemplar's number through the layers: k * unit + rank, layers one after the other.
    """

    def __init__(
        self, layers: Sequence[MaskedLayer], size: int, maskings: Sequence[Masking], seed: int
    ) -> None:
        self._size, self._maskings = size, maskings
        self._ids = np.concatenate([layer.ids.ravel() for layer in layers])
        self._starts = np.cumsum([0, *(layer.ids.size for layer in layers)])
        self._picks = {m: [layer.masked(m, size, seed) for layer in layers] for m in maskings}
        self._order = np.argsort(self._ids, kind="stable")
        self._ordered = self._ids[self._order]

    @property
    def count(self) -> int:
        """Number of slots."""
        return len(self._ids)

    def pool(
        self,
        batches: Iterable[tuple[np.ndarray, Sequence[Any]]],
        pooling: Pooling = DEFAULT,
        threads: int = 1,
    ) -> Iterator[tuple[Masking, np.ndarray, np.ndarray]]:
        """Masking, slots int64 (n,) and float32 (n, F), of the images of every batch.

        See `pool_images`; slots of a batch come in pieces, each under every masking.
        """
        for images, maps in batches:
            first, last = np.searchsorted(self._ordered, [images[0], images[-1] + 1])
            for begin in range(first, last, _SLOTS):
                slots = np.sort(self._order[begin : min(begin + _SLOTS, last)])
                rows = np.searchsorted(images, self._ids[slots])
                for masking in self._maskings:
                    shown, taken, again = rows, slots, slice(None)
                    if masking == "whole":
                        shown, first, again = _once(rows)
                        taken = np.sort(slots[first])  # all masks are the same
                    packed = _gather(self._picks[masking], self._starts, taken)
                    pooled = pool_slots(maps, shown, packed, self._size, pooling, threads)
                    yield masking, slots, pooled[again]


def _once(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
    """Different rows, where each is first, and the place of every row among them."""
    return np.unique(rows, return_index=True, return_inverse=True)


def _gather(picks: Sequence[Pick], starts: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Masks of ascending flat numbers that count through all layers."""
    edges = np.searchsorted(slots, starts)
    return np.concatenate(
        [
            pick(slots[low:high] - start)
            for pick, start, (low, high) in zip(
                picks, starts[:-1], itertools.pairwise(edges), strict=True
            )
            if high > low
        ]
    )


def _rows(index: np.ndarray, ids: np.ndarray, layer: str) -> np.ndarray:
    """Row of `maps` for each slot, flat; -1 for empty slots."""
    flat = ids.reshape(-1)
    if flat.max(initial=-1) >= len(index):
        msg = (
            f"layer {layer!r}: exemplar image {flat.max()} is not among the {len(index)} images of "
            "the encoded dataset; encode the dataset that the exemplars were mined from"
        )
        raise UserError(msg)
    rows = np.where(flat < 0, -1, index[np.maximum(flat, 0)])
    if (missing := flat[(flat >= 0) & (rows < 0)]).size:
        msg = f"layer {layer!r}: image {missing[0]} was not encoded; encode the exemplars' images"
        raise UserError(msg)
    return rows


def pool_slots(
    maps: Sequence[Any],
    rows: np.ndarray,
    packed: np.ndarray,
    size: int,
    pooling: Pooling,
    threads: int = 1,
) -> np.ndarray:
    """float32 (slots, F): each slot's map row under its mask (packed, (slots, size, bytes)).

    Maps are arrays, or tensors that are pooled where they are.
    """
    how = OPERATIONS[pooling.resize]
    if isinstance(maps[0], np.ndarray):
        parts = [
            ops.pool_masks(level, rows, packed, width=size, how=how, threads=threads)
            for level in maps
        ]
    else:
        from milan_core.captioner.features.pooling_there import pool_there

        parts = [pool_there(maps, rows, packed, size, how)]
    if pooling.append_area:
        area = ops.mask_areas(packed) / size**2
        parts.append(np.where(rows < 0, 0, area)[:, None].astype(np.float32))
    return np.concatenate(parts, 1)
