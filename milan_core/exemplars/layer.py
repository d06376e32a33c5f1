"""The exemplars of one layer: images, activations, levels, maps, and the masks of them.

What is kept is the activation map of every exemplar, in exact float32, because masks of any size,
level and border follow from it: h * w * 4 bytes an exemplar, hence at most 7 KB for maps up to
41 x 41, and 4.7 KB on average over the five layers of a ResNet-18 at 224 px (the published layout
takes 200 KB). Only early, large layers exceed that (56 x 56: 12.5 KB). No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.exemplars.sample import Distribution


@dataclass
class LayerExemplars:
    """The exemplars of one layer: U units, k ranks, maps of h x w."""

    ids: np.ndarray  # int64 [U, k], best first; -1 where fewer than k images exist
    activations: np.ndarray  # float32 [U, k], spatial maximum, descending
    levels: np.ndarray  # float32 [U], quantile of the unit's own activations
    resolved: np.ndarray  # bool [U]; False: all values are NaN, and so is the level
    maps: np.ndarray | None = None  # float32 [U, k, h, w]
    packed: np.ndarray | None = None  # uint8 [U, k, S, ceil(S/8)], instead of maps (legacy import)
    size: int = 0  # S of `packed`
    counts: dict[str, np.ndarray] = field(default_factory=dict)  # uint64 [U] each
    band_ids: np.ndarray | None = None  # int64 [U, bands, size], strongest band first; -1: none
    band_activations: np.ndarray | None = None  # float32 [U, bands, size]
    distribution: Distribution | None = None  # of all values, over a sample of the images
    constant: np.ndarray | None = None  # bool [U], units with one value; None: there are none

    def masks(self, size: int, levels: Any, border: str, units: Any) -> np.ndarray:
        """Packed masks uint8 [len(units), k, size, ceil(size/8)]; empty slots have empty masks."""
        units = np.arange(len(self.ids)) if units is None else np.atleast_1d(np.asarray(units))
        if self.maps is None:
            return self._stored_masks(size, levels, units)
        level = self.levels if levels is None else np.asarray(levels, dtype=np.float32)
        level = np.broadcast_to(level, self.levels.shape)[units]
        # An empty slot has a map of zeros, which would be above a negative level.
        per_slot = np.where(self.ids[units] < 0, np.float32(np.inf), level[:, None])
        maps = self.maps[units]
        packed = ops.masks(
            maps.reshape(-1, *maps.shape[2:]), per_slot.reshape(-1).astype(np.float32), size, border
        )
        return packed.reshape(*maps.shape[:2], *packed.shape[1:])

    def masked(self) -> np.ndarray:
        """Bool [U]: whether the mask of any exemplar has a pixel."""
        if self.maps is None:
            packed = self.packed if self.packed is not None else np.ones((len(self.ids), 1))
            return np.asarray(packed.reshape(len(packed), -1).any(1))
        above = self.maps.reshape(*self.ids.shape, -1) > self.levels[:, None, None]
        return np.asarray((above.any(2) & (self.ids >= 0)).any(1))

    def _stored_masks(self, size: int, levels: Any, units: np.ndarray) -> np.ndarray:
        if self.packed is None:
            msg = "these exemplars were stored without maps; mine them again to make masks"
            raise UserError(msg)
        if size != self.size or levels is not None:
            msg = (
                f"these exemplars were imported with masks of {self.size} px at their own level; "
                f"ask for size={self.size} without levels, or mine them again"
            )
            raise UserError(msg)
        return self.packed[units]
