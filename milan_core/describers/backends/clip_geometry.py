"""Exemplar images and masks in the frame that CLIP sees.

By default both take CLIP's own way: shorter side resized to the input size, center cropped. The
mask of a patch is the share of its pixels inside the mask. The published code took 224-pixel images
as they are, and samples the mask at the patches' centers; a small region can fall between those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from milan_core.core.errors import UserError

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""CLIP's published mean of RGB in [0, 1]; a checkpoint's own processor settings come first."""
STD = (0.26862954, 0.26130258, 0.27577711)


def clip_pixels(
    images: np.ndarray,
    size: int,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    *,
    legacy: bool = False,
    device: Any = "cpu",
) -> Tensor:
    """uint8 (k, H, W, 3) as CLIP's input: float32 (k, 3, size, size).

    Raises:
        UserError: `legacy`, and the images are not `size` pixels high and wide.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device)
    pixels = pixels.permute(0, 3, 1, 2).float()
    if legacy:
        _check_legacy(images.shape[1:3], size)
    else:
        pixels = _frame(pixels, size, "bicubic").clamp(0, 255)
    scale = torch.tensor([mean, std], device=pixels.device)[:, None, :, None, None]
    return (pixels / 255 - scale[0]) / scale[1]


def patch_masks(
    masks: np.ndarray, size: int, patch: int, *, legacy: bool = False, device: Any = "cpu"
) -> Tensor:
    """Bool (k, H, W) as shares of the patches: float32 (k, patches), in row order.

    Raises:
        UserError: `legacy`, and the masks are not `size` pixels high and wide.
    """
    grid = size // patch
    planes = torch.from_numpy(np.ascontiguousarray(masks)).to(device)[:, None].float()
    if legacy:
        _check_legacy(masks.shape[1:3], size)
        shares = functional.interpolate(planes, (grid, grid), mode="bilinear", align_corners=False)
    else:
        # The patch convolution ignores what is left over at the right and the bottom.
        framed = _frame(planes, size, "bilinear")[..., : grid * patch, : grid * patch]
        shares = functional.avg_pool2d(framed, patch).clamp(0, 1)
    return shares.flatten(1)


def _frame(planes: Tensor, size: int, mode: str) -> Tensor:
    """Shorter side of (k, C, H, W) to `size` without aliasing, then the central square."""
    height, width = planes.shape[2:]
    short = min(height, width)
    # The longer side is rounded down, as CLIP's own preprocessing does.
    target = (int(size * height / short), int(size * width / short))
    if target != (height, width):
        planes = functional.interpolate(
            planes, target, mode=mode, align_corners=False, antialias=True
        )
    top, left = (target[0] - size) // 2, (target[1] - size) // 2
    return planes[:, :, top : top + size, left : left + size]


def _check_legacy(shape: tuple[int, ...], size: int) -> None:
    if tuple(shape) != (size, size):
        message = (
            f"legacy CLIP re-ranking reads images of {size} x {size} pixels only, got {shape[0]} x "
            f"{shape[1]}; use legacy=False, which resizes images and masks alike"
        )
        raise UserError(message)
