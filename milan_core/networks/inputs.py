"""From stored bytes to a network's input."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from milan_core.core.errors import UserError
from milan_core.networks.options import InputSpec


def prepare(
    images: np.ndarray, spec: InputSpec, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Normalize stored images for a network.

    Args:
        images: uint8 (B, H, W, 3), RGB.
        spec: mean, std and size of the network. Images of another size are resized bilinearly
            (half-pixel centers; antialiased when an axis shrinks); other proportions are squashed.
        device: where the tensor is made; the bytes are moved, not the floats.

    Returns:
        float32 (B, 3, size, size), channels_last.

    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        msg = f"images are {images.dtype} {images.shape}; expected uint8 (B, H, W, 3)"
        raise UserError(msg)
    # Copying takes a batch out of a read-only memory map, and torch wants writable memory.
    batch = torch.from_numpy(np.array(images, order="C")).to(device)
    x = batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)  # NHWC bytes: already channels_last
    if spec.size is not None and tuple(x.shape[2:]) != (spec.size, spec.size):
        shrinks = max(x.shape[2:]) > spec.size
        size = (spec.size, spec.size)
        x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=shrinks)
    mean = torch.tensor(spec.mean, device=x.device).view(1, 3, 1, 1)
    std = torch.tensor(spec.std, device=x.device).view(1, 3, 1, 1)
    return x.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
