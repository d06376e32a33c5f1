"""The published estimate of a unit's level: a quantile sketch with random compaction (spec 2.3).

The published code did not keep what an exact quantile needs, but a hierarchy of buffers: a full one
is sorted, every other value of it, first or second of each pair by the toss of a coin, moves one
buffer up, where it stands for twice as many. Its tosses had no seed, so its levels differed from
run to run; here they come from the configuration. All units of a layer share their tosses. Values
are taken image by image, so that no batch size changes the result.
"""

from __future__ import annotations

import numpy as np
import torch

from milan_core.core.seeding import generator

RESOLUTION = 4096  # as published: buffers of twice as many values
_SIGNED = {"top": lambda x: x, "bottom": torch.neg, "magnitude": torch.abs}  # see `ScanState`


class QuantileSketch:
    """Estimates quantiles of every unit of one layer, in memory that grows with log(values).

    Args:
        units: U.
        mode: which values are ranked, see `milan_core.ops.ScanState`.
        seed: of the tosses.
        name: of the layer; layers toss apart.
        resolution: half the length of a buffer.

    """

    def __init__(
        self, units: int, mode: str, seed: int, name: str, resolution: int = RESOLUTION
    ) -> None:
        self._units, self._change = units, _SIGNED[mode]
        self._size = 2 * resolution
        self._coin = generator(seed, "quantile sketch", name)
        self._buffers: list[torch.Tensor] = []  # float32 [U, 2 * resolution] each
        self._filled: list[int] = []
        self._extremes: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(self, maps: torch.Tensor) -> None:
        """Take the values of some images in: (B, U, h, w), any floating type."""
        values = self._change(maps.detach().float()).transpose(0, 1).reshape(self._units, -1)
        if not values.numel():
            return
        low, high = values.aminmax(dim=1)
        if self._extremes is not None:
            low = torch.minimum(low, self._extremes[0])
            high = torch.maximum(high, self._extremes[1])
        self._extremes = low, high
        start = 0
        while start < values.shape[1]:
            start += self._put(0, values[:, start:])

    def _put(self, level: int, values: torch.Tensor) -> int:
        """Fill a buffer as far as it goes, compacting it first if it is full: how many fitted."""
        if level == len(self._buffers):
            self._buffers.append(values.new_empty(self._units, self._size))
            self._filled.append(0)
        if self._filled[level] == self._size:
            kept = self._buffers[level].sort(dim=1).values[:, int(self._coin.integers(2)) :: 2]
            self._filled[level] = 0
            while kept.shape[1]:
                kept = kept[:, self._put(level + 1, kept) :]
        begin = self._filled[level]
        count = min(values.shape[1], self._size - begin)
        self._buffers[level][:, begin : begin + count] = values[:, :count]
        self._filled[level] += count
        return count

    def quantile(self, q: float) -> np.ndarray:
        """Float32 [U]: between the kept values, each at the middle of the ranks it stands for.

        Smallest and largest value are kept as well and bound the result. No values give NaN.
        """
        if self._extremes is None:
            return np.full(self._units, np.nan, np.float32)
        low, high = (side[:, None] for side in self._extremes)
        parts = [b[:, :n] for b, n in zip(self._buffers, self._filled, strict=True)]
        weights = [np.full(n, 2.0**level) for level, n in enumerate(self._filled)]
        values = torch.cat([low, *parts, high], dim=1).cpu().numpy()
        weight = np.concatenate([[0.0], *weights, [0.0]])
        # The extremes weigh nothing: they must stay outermost among their equals.
        order = np.argsort(values, axis=1, kind="stable")
        heavy = weight[order]
        ranks = np.cumsum(heavy, axis=1) - heavy / 2
        ranked = np.take_along_axis(values, order, axis=1)
        total = weight.sum()
        found = [np.interp(q * total, r, v) for r, v in zip(ranks, ranked, strict=True)]
        return np.array(found, dtype=np.float32)
