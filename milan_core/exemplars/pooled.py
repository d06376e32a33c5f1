"""One pooled value of every unit on every image, taken from the batches of the mining pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from milan_core.exemplars.options import Pool
from milan_core.exemplars.state import Header
from milan_core.exemplars.table import ActivationTable, TableFacts

_LANES = 32  # channels that torch reduces at once where they lie next to each other


class PooledValues:
    """Collects pooled values batch by batch, on the device of the activations.

    Args:
        pools: how a map becomes one number: its largest value, its mean.
        mode: as mining: activations are negated first (`bottom`) or made absolute (`magnitude`).

    """

    def __init__(self, pools: Sequence[Pool], mode: str) -> None:
        self.pools, self._mode = tuple(pools), mode
        self.ids: list[np.ndarray] = []  # int64, of every batch that was added
        self._parts: dict[str, dict[Pool, list[torch.Tensor]]] = {}

    def add(self, layer: str, maps: torch.Tensor) -> None:
        """Take in the maps (B, U, h, w) of a batch of one layer."""
        if not self.pools:
            return
        if self._mode == "magnitude":
            maps = maps.abs()
        parts = self._parts.setdefault(layer, {pool: [] for pool in self.pools})
        for pool in self.pools:
            values = self._largest(maps) if pool == "max" else maps.float().mean((2, 3))
            if pool == "mean" and self._mode == "bottom":
                values = -values
            parts[pool].append(values.float() + 0.0)  # -0 becomes 0: one zero, one set of bytes

    def _largest(self, maps: torch.Tensor) -> torch.Tensor:
        if self._mode == "bottom":
            return -maps.amin((2, 3))
        # The reduction is slow over channels that do not fill its lanes (48: 4x); pooling is not.
        aligned = maps.shape[1] % _LANES == 0 or maps.is_contiguous()
        if aligned or maps.device.type != "cpu":
            return maps.amax((2, 3))
        return functional.max_pool2d(maps, maps.shape[2:])[:, :, 0, 0]

    def table(self, header: Header, heldout: np.ndarray) -> ActivationTable | None:
        """The table of the shard of `header`, images by number; None where none was asked for.

        The collected batches are given up meanwhile, layer by layer.
        """
        if not self.pools:
            return None
        ids = np.concatenate(self.ids)
        order = np.argsort(ids)
        units = {name: self._parts[name][self.pools[0]][0].shape[1] for name in header.layers}
        facts = TableFacts(
            model=header.model,
            model_hash=header.model_hash,
            dataset=header.dataset,
            images=header.images,
            layers=tuple(units.items()),
            pools=self.pools,
            mode=header.mode,
            input=header.input,
            dtype=header.dtype,
            split=header.heldout,
        )
        values = {pool: np.empty((facts.units, len(order)), np.float32) for pool in self.pools}
        first = 0
        for name, count in units.items():
            for pool, parts in self._parts.pop(name).items():
                rows = torch.cat(parts).cpu().numpy()[order]
                values[pool][first : first + count] = rows.T
            first += count
        return ActivationTable(facts, ids[order], heldout[ids[order]], values)
