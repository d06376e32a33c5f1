"""Masked pooling of a feature pyramid: one vector per exemplar (specification 4.1).

Every feature map of the un-masked image is averaged under the exemplar's mask, shrunk to the size
of the map, and the averages of all maps are concatenated.

    vectors = pool_pyramid([early, late], masks)  # (B, C1, h1, w1), (B, C2, h2, w2) -> (B, C1 + C2)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from milan_core.captioner.features.options import Pooling
from milan_core.core.errors import UserError, unknown

RESIZES = ("area", "bilinear")
_DEFAULT = Pooling()


def pool_pyramid(
    feature_maps: Sequence[Tensor], masks: Tensor | None, resize: str = _DEFAULT.resize
) -> Tensor:
    """Mask-weighted mean of every channel of every map: float32 (B, sum of C).

    Args:
        feature_maps: tensors (B, C, h, w); C, h and w may differ from map to map.
        masks: (B, 1, H, W), 0/1 or weights, any dtype; None averages over the whole map. An empty
            mask gives zeros.
        resize: how the mask shrinks to h x w. "area" is the exact share of every map cell under the
            mask, also where H/h is no whole number. "bilinear" reads the mask at four pixels per
            cell as the published encoder does, and so misses small regions on coarse maps
            (specification 6.2, defect 26).
    """
    if resize not in RESIZES:
        raise unknown("resize", resize, RESIZES)
    _check(feature_maps, masks)
    pooled, shrunk = [], dict[tuple[int, int], Tensor]()
    for maps in feature_maps:
        maps, size = maps.float(), (maps.shape[-2], maps.shape[-1])
        if masks is None:
            pooled.append(maps.mean(dim=(2, 3)))
            continue
        if size not in shrunk:
            shrunk[size] = _weights(masks.to(maps.device, torch.float32), size, resize)
        pooled.append(torch.bmm(maps.flatten(2), shrunk[size]).squeeze(2))
    return torch.cat(pooled, dim=1)


def _weights(masks: Tensor, size: tuple[int, int], resize: str) -> Tensor:
    """Weights of the cells of a map, of sum 1, or all 0 for an empty mask: (B, h * w, 1)."""
    if resize == "bilinear":
        small = functional.interpolate(masks, size=size, mode="bilinear", align_corners=False)
    else:
        rows = _cell_shares(masks.shape[2], size[0], masks.device)
        columns = _cell_shares(masks.shape[3], size[1], masks.device)
        small = rows @ masks @ columns.t()
    cells = small.flatten(1)
    total = cells.sum(dim=1, keepdim=True)
    return torch.where(total > 0, cells / total.clamp(min=1e-30), 0.0).unsqueeze(2)


def _cell_shares(pixels: int, cells: int, device: torch.device) -> Tensor:
    """Share of every cell covered by every pixel along one axis: (cells, pixels), rows sum to 1.

    Both split the same interval evenly; positions are counted in units of 1 / (pixels * cells), so
    that the overlaps are whole numbers and exact.
    """
    cell = torch.arange(cells, device=device).unsqueeze(1) * pixels
    pixel = torch.arange(pixels, device=device).unsqueeze(0) * cells
    end = torch.minimum(cell + pixels, pixel + cells)
    return (end - torch.maximum(cell, pixel)).clamp(min=0).float() / pixels


def _check(feature_maps: Sequence[Tensor], masks: Tensor | None) -> None:
    batches = {maps.shape[0] if maps.ndim == 4 else -1 for maps in feature_maps}
    if masks is not None:
        batches.add(masks.shape[0] if masks.ndim == 4 and masks.shape[1] == 1 else -1)
    if not feature_maps or len(batches) != 1 or -1 in batches:
        shapes = ", ".join(str(tuple(maps.shape)) for maps in feature_maps)
        shape = "none" if masks is None else tuple(masks.shape)
        message = (
            f"feature maps have shapes {shapes or 'none'} and masks {shape}; expected (B, C, h, w) "
            "maps and (B, 1, H, W) masks of one batch size B"
        )
        raise UserError(message)
