"""From stored bytes to a network's input."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from milan_core.core.errors import UserError
from milan_core.networks.options import InputSpec

GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L


def prepare(
    images: np.ndarray, spec: InputSpec, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Normalize stored images for a network.

    Args:
        images: uint8 (B, H, W, 3), RGB.
        spec: mean, std, size and channels of the network. Images of another size are resized
            bilinearly (half-pixel centers; antialiased when an axis shrinks); other proportions are
            squashed.
        device: where the tensor is made; the bytes are moved, not the floats.

    Returns:
        float32 (B, channels, height, width), channels_last.

    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        msg = f"images are {images.dtype} {images.shape}; expected uint8 (B, H, W, 3)"
        raise UserError(msg)
    # Copying takes a batch out of a read-only memory map, and torch wants writable memory.
    batch = torch.from_numpy(np.array(images, order="C")).to(device)
    x = batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)  # NHWC bytes: already channels_last
    if spec.sides is not None and tuple(x.shape[2:]) != spec.sides:
        shrinks = x.shape[2] > spec.sides[0] or x.shape[3] > spec.sides[1]
        x = F.interpolate(x, spec.sides, mode="bilinear", align_corners=False, antialias=shrinks)
    x = _channels(x, spec.channels)
    mean = torch.tensor(spec.mean, device=x.device).view(1, -1, 1, 1)
    std = torch.tensor(spec.std, device=x.device).view(1, -1, 1, 1)
    return x.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def _channels(rgb: torch.Tensor, count: int) -> torch.Tensor:
    """Gray by the weights of ITU-R BT.601, RGB, or RGB with an opaque alpha channel."""
    if count == 1:
        weights = torch.tensor(GRAY, device=rgb.device).view(1, 3, 1, 1)
        return (rgb * weights).sum(1, keepdim=True)
    return rgb if count == 3 else torch.cat([rgb, torch.ones_like(rgb[:, :1])], 1)
