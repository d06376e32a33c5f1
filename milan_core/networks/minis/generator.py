"""A small generator from scene codes to images: the role of BigGAN in the embedded world.

A scene code says for every cell of a coarse grid which thing is visible there and in which color.
The images that the generator draws therefore have known masks: those of the scene that it was
told to draw.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (96, 48)


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class GeneratorMini(nn.Module):
    """Embeddings of names and colors on a grid, two stages for each width, RGB.

    The grid of codes is 16 x 16, the image 64 x 64: the last step rearranges channels into pixels.
    """

    def __init__(
        self, names: int, colours: int, embedding: int = 32, widths: Sequence[int] = WIDTHS
    ) -> None:
        super().__init__()
        self.name = nn.Embedding(names, embedding)
        self.colour = nn.Embedding(colours, embedding)
        first, *rest = widths
        self.stages = nn.ModuleList([_stage(embedding, first), _stage(first, first)])
        for inputs, outputs in zip(widths, rest, strict=False):
            self.stages.append(_stage(inputs, outputs))
            self.stages.append(_stage(outputs, outputs))
        self.image = nn.Conv2d(widths[-1], 12, 3, padding=1)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Int (b, 2, 16, 16) of name and color numbers -> images (b, 3, 64, 64) in [0, 1]."""
        codes = codes.long()
        x = (self.name(codes[:, 0]) + self.colour(codes[:, 1])).permute(0, 3, 1, 2)
        for number, stage in enumerate(self.stages):
            if number == 2:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = stage(x)
        return torch.sigmoid(F.pixel_shuffle(self.image(x), 2))


def generator_mini(
    names: int, colours: int, embedding: int = 32, widths: Sequence[int] = WIDTHS
) -> GeneratorMini:
    """Generator-mini: 0.2 M parameters, 288 units in `stages.*`."""
    return GeneratorMini(names, colours, embedding, tuple(widths))
