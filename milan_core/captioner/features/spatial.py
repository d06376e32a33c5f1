"""The spatial encoder (spec 4.1): the last layer's map of the masked image, cell by cell.

The image is black outside the mask before it is normalized, goes through the network, and every
cell of the last layer's map becomes one vector for the captioner's attention: a unit with k
exemplars has k * h * w vectors (735 of 512 for ResNet-18 and k = 15). Unlike the pyramid this takes
one forward pass per distinct (image, mask), not per image.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from milan_core import ops
from milan_core.captioner.features.pooling import MaskedLayer, Masking
from milan_core.core.errors import UserError


class Encodes(Protocol):
    """An encoder: maps of every layer that is read, shallow to deep."""

    batch_size: int

    def forward(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Maps of one batch of images uint8 (n, H, W, 3): (n, C, h, w) a layer."""


def spatial_features(
    encoder: Encodes,
    images: Any,
    layer: MaskedLayer,
    size: int,
    *,
    masking: Masking = "exact",
    seed: int = 0,
) -> np.ndarray:
    """float32 (U, k * h * w, C): cells of exemplar 0 row by row, then of exemplar 1, and so on.

    Args:
        encoder: of kind spatial; its last layer is read.
        images: `images[ids]` gives uint8 (n, size, size, 3).
        layer: image ids and masks.
        size: pixels of a mask's side, and of the images'.
        masking: see `pooling.pool_exemplars`.
        seed: of the shuffled masks.

    Empty masks and empty slots give zeros, as they do in the pyramid.
    """
    ids, pick = layer.ids.ravel(), layer.masked(masking, size, seed)
    out: np.ndarray | None = None
    first_slot: dict[tuple[int, bytes], int] = {}
    for begin in range(0, len(ids), encoder.batch_size):
        slots = np.arange(begin, min(begin + encoder.batch_size, len(ids)))
        packed = pick(slots)
        fresh = []
        for place, slot in enumerate(slots.tolist()):
            key = (int(ids[slot]), packed[place].tobytes())
            if ids[slot] >= 0 and packed[place].any() and first_slot.setdefault(key, slot) == slot:
                fresh.append(place)
        if fresh:
            cells = _cells(encoder, images[ids[slots[fresh]]], packed[fresh], size)
            if out is None:
                out = np.zeros((len(ids), *cells.shape[1:]), np.float32)
            out[slots[fresh]] = cells
        if out is None:
            continue
        for place, slot in enumerate(slots.tolist()):
            first = first_slot.get((int(ids[slot]), packed[place].tobytes()), slot)
            if first != slot:
                out[slot] = out[first]
    if out is None:
        msg = f"layer {layer.name!r}: every mask is empty, so there is nothing to encode"
        raise UserError(msg)
    return out.reshape(len(layer.ids), -1, out.shape[2])


def _cells(encoder: Encodes, pixels: np.ndarray, packed: np.ndarray, size: int) -> np.ndarray:
    """float32 (n, h * w, C) of the masked images."""
    if pixels.shape[1:3] != (size, size):
        msg = f"images are {pixels.shape[1:3]} and masks ({size}, {size}); give masks of that size"
        raise UserError(msg)
    masks = ops.unpack_masks(packed, size)
    last = encoder.forward(np.where(masks[..., None], pixels, np.uint8(0)))[-1]
    cells: np.ndarray = last.reshape(*last.shape[:2], -1).transpose(0, 2, 1).astype(np.float32)
    return cells
