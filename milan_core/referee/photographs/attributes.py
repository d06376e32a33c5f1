"""Attributes of pixels: how much of an image has a color, is bright, textured, or has lines.

Images are read at 224 pixels. Colors are told apart by hue, saturation and value at 56 x 56, lines
by the structure tensor of brightness. A color's column is the mean of its share of the image and
its share in the five fullest of 7 x 7 cells, since a unit sees a part of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milan_core.referee.photographs.vocabulary import ATTRIBUTES, COLORS

if TYPE_CHECKING:
    import torch

SIZE, CELL, CELLS, FULLEST = 224, 8, 49, 5
HUES = {  # degrees
    "red": (345, 374), "orange": (14, 42), "yellow": (42, 68), "green": (68, 170),
    "blue": (170, 262), "purple": (262, 310), "pink": (310, 345),
}  # fmt: skip


def attribute_columns(images: torch.Tensor) -> np.ndarray:
    """float32 [n, 19] in the order of `ATTRIBUTES`, of images float32 (n, 3, 224, 224) in [0, 1].

    Colors lie in [0, 1]; `dark` and `plain` are `bright` and `finely textured` with the sign
    changed; lines are square roots of gradient energy.
    """
    import torch
    import torch.nn.functional as F

    small = F.avg_pool2d(images, 4)
    energy = F.avg_pool2d(_tensor(images), 4)
    highest, lowest = small.amax(1), small.amin(1)
    maps = torch.cat([color_maps(small), highest[:, None], (highest - lowest)[:, None], energy], 1)
    cells = F.avg_pool2d(maps, CELL).flatten(2)  # [n, 16, 49]
    means = cells.mean(-1)
    colors = (
        cells[:, : len(COLORS)].topk(FULLEST, -1).values.mean(-1) + means[:, : len(COLORS)]
    ) / 2
    along_x, along_y, mixed = cells[:, -3], cells[:, -2], cells[:, -1]
    total = (along_x + along_y).clamp(min=1e-7)
    texture, slant = total.sqrt(), (along_x - along_y) / total
    rest = [
        means[:, len(COLORS)],
        -means[:, len(COLORS)],
        means[:, len(COLORS) + 1],
        texture.mean(-1),
        -texture.mean(-1),
        (texture * slant.clamp(min=0)).mean(-1),
        (texture * (-slant).clamp(min=0)).mean(-1),
        (texture * 2 * mixed.abs() / total).mean(-1),
    ]
    columns = torch.cat([colors, torch.stack(rest, 1)], 1)
    assert columns.shape[1] == len(ATTRIBUTES)
    return columns.numpy().astype(np.float32)


def color_maps(images: torch.Tensor) -> torch.Tensor:
    """float32 (n, 11, h, w): 1 where a pixel of (n, 3, h, w) in [0, 1] has the color, one each."""
    import torch

    value, chroma = images.amax(1), images.amax(1) - images.amin(1)
    saturation, hue = chroma / (value + 1e-6), _hue(images, value, chroma)
    black = value < 0.2
    faint = ~black & ((saturation < 0.15) | ((saturation < 0.22) & (value < 0.4)))
    masks = {"black": black, "white": faint & (value > 0.8), "gray": faint & (value <= 0.8)}
    vivid = ~(black | faint)
    for name, (low, high) in HUES.items():
        inside = (hue >= low) & (hue < high) if high <= 360 else (hue >= low) | (hue < high - 360)
        masks[name] = vivid & inside
    dull = (value < 0.62) | (saturation < 0.55)
    pale = masks["red"] & (saturation < 0.45) & (value > 0.6)
    brown = (masks["orange"] & dull) | (masks["red"] & (value < 0.45) & (saturation < 0.75))
    masks["orange"], masks["red"] = masks["orange"] & ~brown, masks["red"] & ~brown & ~pale
    masks["pink"], masks["brown"] = masks["pink"] | pale, brown
    return torch.stack([masks[name] for name in COLORS], 1).float()


def _hue(images: torch.Tensor, value: torch.Tensor, chroma: torch.Tensor) -> torch.Tensor:
    """Degrees, 0 to 360."""
    import torch

    red, green, blue = images.unbind(1)
    scale = chroma + 1e-6
    sixths = torch.where(
        value == red,
        ((green - blue) / scale) % 6,
        torch.where(value == green, (blue - red) / scale + 2, (red - green) / scale + 4),
    )
    return sixths * 60


def _tensor(images: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w): x², y² and xy of the brightness gradient by central differences."""
    import torch
    import torch.nn.functional as F

    gray = images.mean(1, keepdim=True)
    wide = F.pad(gray, (1, 1, 0, 0), mode="replicate")
    high = F.pad(gray, (0, 0, 1, 1), mode="replicate")
    x, y = wide[..., 2:] - wide[..., :-2], high[:, :, 2:] - high[:, :, :-2]
    return torch.cat([x**2, y**2, x * y], 1)
