"""A fixed sample of the images, read whole: activation bands and the distribution of all values.

The scan itself records only what can still matter for the level. For the distribution every value
counts, and for bands every image does, so both are taken from a sample: the same images for every
unit and layer, drawn once from the number of images alone, hence the same in any shard. A data set
that is not larger than the sample is in it as a whole. The state is a `ScanState` with coarse bins,
all values and one key for each image of the sample, so shards merge like everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.ops import ScanState, bin_edges

BITS = 2  # bins of the distribution: four an octave
_EVERYTHING = 1e-12  # a quantile so low that every value is recorded


def sampled_images(heldout: np.ndarray, size: int) -> np.ndarray:
    """Bool [total]: which images are in the sample of `size`, drawn from those not held out."""
    mined = np.flatnonzero(~heldout)
    chosen = np.zeros(len(heldout), bool)
    chosen[mined[generator(0, "image sample").permutation(len(mined))[:size]]] = True
    return chosen


def stretches(chosen: np.ndarray) -> list[slice]:
    """The runs of neighboring rows that are all chosen, so that a batch is not copied."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [slice(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def sample_state(
    units: int, map_shape: tuple[int, int], size: int, total: int, mode: str
) -> ScanState:
    """The empty state of a layer for a sample of `size` of `total` images."""
    return ScanState(
        units,
        map_shape,
        min(size, total),
        _EVERYTHING,
        total,
        mode=mode,
        bits=BITS,
        keep_maps=False,
    )


@dataclass
class Distribution:
    """Quantiles and moments of each unit's values over the sample."""

    images: int
    values: np.ndarray  # uint64 [U], without NaN
    zeros: np.ndarray  # uint64 [U]
    cells: np.ndarray  # uint32 [U], how many of `bins` and `counts` belong to each unit
    bins: np.ndarray  # uint32 [N], rising within a unit; zeros are in none
    counts: np.ndarray  # uint64 [N]
    starts: np.ndarray = field(init=False)  # int64 [U + 1]

    def __post_init__(self) -> None:
        self.starts = np.concatenate([[0], np.cumsum(self.cells, dtype=np.int64)])

    def unit(self, unit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(smallest value, largest value, count) of every filled bin of a unit, rising."""
        part = slice(self.starts[unit], self.starts[unit + 1])
        return (*bin_edges(self.bins[part], BITS), self.counts[part])

    @classmethod
    def from_state(cls, state: ScanState) -> Distribution:
        """The distribution that a sample's state holds."""
        arrays, _ = state.to_arrays()
        counts = state.counts()
        parts = (arrays[name] for name in ("cells", "bins", "counts"))
        return cls(state.images, counts["values"], counts["zeros"], *parts)


def draw_bands(state: ScanState, bands: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images drawn evenly from bands of the images' activations: (ids, activations).

    The images of the sample are ranked by a unit's largest value, ties by lower id, and cut into
    `bands` of equal number, the strongest first; of each band `size` are taken at equal distances.

    Returns:
        ids int64 [U, bands, size], -1 where a band has fewer images; activations float32, -inf
        there.

    """
    if bands < 1 or size < 1:
        msg = f"bands and band_size are {bands} and {size}; expected 1 or more"
        raise UserError(msg)
    ids, values, _ = state.topk()
    seen = (ids >= 0).sum(1)[:, None, None]  # [U, 1, 1]
    band, place = np.arange(bands)[:, None], np.arange(size)
    first, end = seen * band // bands, seen * (band + 1) // bands
    rank = first + (2 * place + 1) * (end - first) // (2 * size)  # [U, bands, size]
    fresh = np.diff(rank, axis=2, prepend=-1) > 0
    picked = np.where(fresh & (rank < end), rank, 0).reshape(len(ids), -1)
    kept = (fresh & (rank < end)).reshape(picked.shape)
    out_ids = np.where(kept, np.take_along_axis(ids, picked, 1), -1)
    out = np.where(kept, np.take_along_axis(values, picked, 1), np.float32(-np.inf))
    return out_ids.reshape(rank.shape), out.astype(np.float32).reshape(rank.shape)
