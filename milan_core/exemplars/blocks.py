"""Parts of every layer's units, so that a job holds the statistics of some units only.

Block (i, n) of a layer with U units holds the units U i // n to U (i + 1) // n. Nothing that mining
records of a unit depends on other units, so the joined result has the bytes of an unsharded run. A
large dictionary (`networks.directions`) also computes only the pieces that its block needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.sample import Distribution

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass
class UnitBlock:
    """Block `index` of `count` blocks of every layer's units."""

    index: int = 0
    count: int = 1
    cut: set[str] = field(default_factory=set)  # layers that compute their block alone

    @contextmanager
    def of(self, module: nn.Module) -> Iterator[None]:
        """Let large dictionaries of the network compute this block alone meanwhile."""
        from milan_core.networks.directions import Directions

        entries = {n: m for n, m in module.named_modules() if isinstance(m, Directions)}
        self.cut = {
            name for name, part in entries.items() if part.take_block(self.index, self.count)
        }
        try:
            yield
        finally:
            for part in entries.values():
                part.take_block(0, 1)

    def units(self, layer: str, maps: torch.Tensor) -> torch.Tensor:
        """The maps (b, U, h, w) of the block's units.

        Raises:
            UserError: for a layer with fewer units than blocks.

        """
        if self.count == 1 or layer in self.cut:
            return maps
        total = maps.shape[1]
        if total < self.count:
            raise UserError(
                f"layer {layer!r} has {total} units, fewer than exemplars.unit_shards "
                f"({self.count}); lower unit_shards"
            )
        return maps[:, total * self.index // self.count : total * (self.index + 1) // self.count]


def joined_layers(parts: Sequence[LayerExemplars]) -> LayerExemplars:
    """The `LayerExemplars` of one layer from those of its blocks, in their order."""
    first = parts[0]
    found: dict[str, Any] = {}
    for item in fields(first):
        values = [getattr(part, item.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            found[item.name] = np.concatenate(values)
    if any(part.constant is not None for part in parts):
        found["constant"] = np.concatenate(
            [np.zeros(len(p.ids), bool) if p.constant is None else p.constant for p in parts]
        )
    found["counts"] = {
        name: np.concatenate([part.counts[name] for part in parts]) for name in first.counts
    }
    spread = [part.distribution for part in parts if part.distribution is not None]
    if spread:
        names = ("values", "zeros", "cells", "bins", "counts")
        columns = [np.concatenate([getattr(one, name) for one in spread]) for name in names]
        found["distribution"] = Distribution(spread[0].images, *columns)
    return replace(first, **found)
