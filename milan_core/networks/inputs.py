"""From stored bytes to a network's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from milan_core.core.errors import UserError, unknown

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # spec 2.1
IMAGENET_STD = (0.229, 0.224, 0.225)
KINDS = ("images", "latents")


@dataclass(frozen=True)
class InputSpec:
    """What a network expects: `size` in pixels (None: as stored), mean and std of [0, 1] RGB.

    `kind` is "latents" for a generator: its input are the latent codes of a data set, and `size`
    is that of the images it draws.
    """

    size: int | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    kind: str = "images"

    @classmethod
    def from_mapping(cls, value: Mapping[str, Any]) -> InputSpec:
        """Read the `input` section of a model's spec; missing keys take the defaults."""
        if extra := sorted(set(value) - {"size", "mean", "std", "kind"}):
            msg = f"input: unknown key {', '.join(extra)}; known: kind, mean, size, std"
            raise UserError(msg)
        kind = str(value.get("kind", "images"))
        if kind not in KINDS:
            raise unknown("kind of input", kind, KINDS)
        size = value.get("size")
        if size is not None and (not isinstance(size, int) or size < 1):
            msg = f"input: size is {size!r}; expected a positive number of pixels"
            raise UserError(msg)
        mean = _three("mean", value.get("mean", IMAGENET_MEAN))
        std = _three("std", value.get("std", IMAGENET_STD))
        if min(std) <= 0:
            msg = f"input: std is {list(std)}; expected three positive numbers"
            raise UserError(msg)
        return cls(size, mean, std, kind)

    def to_mapping(self) -> dict[str, Any]:
        """The inverse of `from_mapping`; plain values for JSON."""
        values = {"size": self.size, "mean": list(self.mean), "std": list(self.std)}
        return values if self.kind == "images" else {**values, "kind": self.kind}


def _three(name: str, value: Sequence[float]) -> tuple[float, float, float]:
    try:
        first, second, third = (float(part) for part in value)
    except (TypeError, ValueError):
        msg = f"input: {name} is {value!r}; expected three numbers, one for each of R, G, B"
        raise UserError(msg) from None
    return first, second, third


def prepare(
    images: np.ndarray, spec: InputSpec, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Normalise stored images for a network.

    Args:
        images: uint8 (B, H, W, 3), RGB.
        spec: mean, std and size of the network. Images of another size are resized bilinearly
            (half-pixel centres; antialiased when an axis shrinks); other proportions are squashed.
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
