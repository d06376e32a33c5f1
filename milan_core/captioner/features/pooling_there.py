"""Masked pooling of maps that are on a GPU: masks go there, and one vector an exemplar comes back.

The weights are those of `ops.pool_masks`; "area" counts in whole numbers, exact in float32 up to
masks of 4096 x 4096. Sums are float32, so features differ from the CPU's by rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from milan_core.networks.feeding import on_way

_CELLS = 1 << 26  # numbers of maps that are pooled at once: bounds memory


def pool_there(
    levels: Sequence[Tensor], rows: np.ndarray, packed: np.ndarray, width: int, how: str
) -> np.ndarray:
    """As `ops.pool_masks` of every level, side by side: float32 (M, sum of C); waits once.

    Args:
        levels: float16 or float32 (n, C, h, w), finite, all on one device.
        rows: int64 (M,), which map each mask belongs to; -1 for none.
        packed: uint8 (M, H, row bytes) masks of `width` pixels.
        width: pixels in a row of a mask.
        how: "area" or "points", see there.

    """
    device = levels[0].device
    there = on_way(np.ascontiguousarray(rows), device)
    sent = on_way(np.ascontiguousarray(packed), device)
    shifts = torch.arange(8, dtype=torch.uint8, device=device)
    parts = []
    for level in levels:
        cells, numbers = level.shape[2:], level[0].numel()
        step = max(1, _CELLS // max(numbers, 8 * packed[0].size))
        pooled = []
        for row, part in zip(there.split(step), sent.split(step), strict=True):
            bits = ((part.unsqueeze(3) >> shifts) & 1).flatten(2)[:, :, :width].float()
            weights = _weights(bits, cells[0], cells[1], how).flatten(1)  # (m, h * w)
            weights = torch.where(row.unsqueeze(1) < 0, 0.0, weights)
            maps = level[row.clamp(min=0)].flatten(2).float()
            sums = torch.bmm(maps, weights.unsqueeze(2)).squeeze(2)
            total = weights.sum(1, keepdim=True)
            pooled.append(torch.where(total > 0, sums / total.clamp(min=1e-30), 0.0))
        parts.append(torch.cat(pooled) if pooled else level.new_zeros(0, level.shape[1]).float())
    return torch.cat(parts, 1).cpu().numpy()


def _weights(bits: Tensor, height: int, width: int, how: str) -> Tensor:
    """float32 (m, height, width) of masks (m, H, W)."""
    if how == "points":
        shape = height, width
        return functional.interpolate(bits.unsqueeze(1), shape, mode="bilinear").squeeze(1)
    down = _cover(height, bits.shape[1], bits.device)
    return down @ bits @ _cover(width, bits.shape[2], bits.device).t()


@functools.lru_cache(64)
def _cover(cells: int, pixels: int, device: torch.device) -> Tensor:
    """float32 (cells, pixels): how much of each pixel a cell covers, in units of 1 / cells."""
    cell, pixel = np.arange(cells)[:, None], np.arange(pixels)[None]
    high = np.minimum((cell + 1) * pixels, (pixel + 1) * cells)
    found = np.maximum(0, high - np.maximum(cell * pixels, pixel * cells))
    with torch.inference_mode(False):
        return torch.from_numpy(found.astype(np.float32)).to(device)
