"""From stored bytes to a network's input."""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F

from milan_core.core.errors import UserError
from milan_core.networks.options import InputSpec

GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L


def prepare(
    images: np.ndarray | torch.Tensor, spec: InputSpec, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Normalize stored images for a network.

    Args:
        images: uint8 (B, H, W, 3), RGB, an array or a tensor, which stays as it is.
        spec: mean, std, size and channels of the network. Images of another size are resized
            bilinearly (half-pixel centers; antialiased when an axis shrinks); other proportions are
            squashed.
        device: where the tensor is made; the bytes are moved, not the floats.

    Returns:
        float32 (B, channels, height, width), channels_last.

    """
    if images.dtype not in (np.uint8, torch.uint8) or images.ndim != 4 or images.shape[3] != 3:
        msg = f"images are {images.dtype} {tuple(images.shape)}; expected uint8 (B, H, W, 3)"
        raise UserError(msg)
    if isinstance(images, np.ndarray):
        # Copying takes a batch out of a read-only memory map, and torch wants writable memory.
        images = torch.from_numpy(np.array(images, order="C"))
    batch = images.to(device)
    x = batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)  # NHWC bytes: already channels_last
    if spec.sides is not None and tuple(x.shape[2:]) != spec.sides:
        shrinks = x.shape[2] > spec.sides[0] or x.shape[3] > spec.sides[1]
        x = F.interpolate(x, spec.sides, mode="bilinear", align_corners=False, antialias=shrinks)
    x = _channels(x, spec.channels)
    mean, std = _constant(tuple(spec.mean), x.device), _constant(tuple(spec.std), x.device)
    return x.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def _channels(rgb: torch.Tensor, count: int) -> torch.Tensor:
    """Gray by the weights of ITU-R BT.601, RGB, or RGB with an opaque alpha channel."""
    if count == 1:
        return (rgb * _constant(GRAY, rgb.device)).sum(1, keepdim=True)
    return rgb if count == 3 else torch.cat([rgb, torch.ones_like(rgb[:, :1])], 1)


@functools.lru_cache(64)
def _constant(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """One value a channel, (1, channels, 1, 1); made once, since making it waits for a GPU."""
    with torch.inference_mode(False):
        return torch.tensor(values, device=device).view(1, -1, 1, 1)
