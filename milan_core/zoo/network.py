"""The zoo's network: every weight is put there by hand.

This file stands alone (PyTorch and safetensors) and is copied beside the weights:

    from network import zoo_network
    network = zoo_network()                # reads zoo.safetensors beside this file

Input: float [B, 3, 64, 64], pixels from 0 to 1, not normalized. Layers whose channels are units:

    colors    [B, 9, 64, 64]    1 inside areas of one color, less at their edges, 0 elsewhere
    concepts  [B, K, 32, 32]    1 at centers of things of one kind, less around, 0 elsewhere
    logic     [B, U, 32, 32]    and, or, not, counts, differences of these

The value of a unit on an image is the maximum of its map, which is exact. Maps fall off from it, so
that a quantile of a unit's activations has something above it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

THINGS = 6  # colors of things; the others belong to grounds and the watermark
WINDOW = 17  # side of a template, pixels


class Pixels(nn.Module):
    """1 where every channel of a pixel lies in a range, else 0 (whole numbers 0 to 255)."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.outside = nn.Conv2d(3, 6 * count, 1)  # how far below and above the range
        self.within = nn.Conv2d(6 * count, count, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Maps float [B, colors, H, W]."""
        return functional.relu(self.within(functional.relu(self.outside(pixels))))


class Colors(nn.Module):
    """The same, less at the edges of areas, and on the ground as a fixed texture has it."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(count, count, 3, padding=1, groups=count)
        self.texture: torch.Tensor
        self.register_buffer("texture", torch.zeros(count, 64, 64))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Maps float [B, colors, H, W]."""
        return functional.relu(self.around(pixels) + self.texture)


class Centers(nn.Module):
    """1 at the centers of things: templates of shapes in colors, summed over what a kind allows."""

    def __init__(self, templates: int, kinds: int) -> None:
        super().__init__()
        self.templates = nn.Conv2d(
            *(THINGS, templates, WINDOW), stride=2, padding=WINDOW // 2, groups=THINGS
        )
        self.kinds = nn.Conv2d(templates, 2 * kinds, 1, bias=False)
        self.where: torch.Tensor
        self.register_buffer("where", torch.ones(2 * kinds, 32, 32))

    def forward(self, colors: torch.Tensor) -> torch.Tensor:
        """Maps float [B, 2 kinds, 32, 32]: small things of every kind, then large ones."""
        return self.kinds(functional.relu(self.templates(colors))) * self.where


class Concepts(nn.Module):
    """1 at centers of things of a kind, a sixteenth less with every step, 0 beyond their boxes."""

    def forward(self, centers: torch.Tensor) -> torch.Tensor:
        """Maps float [B, kinds, 32, 32]."""
        small, large = centers.chunk(2, 1)
        maps = torch.maximum(small, large)
        for step, part in ((1, small), (2, small), (1, large), (2, large), (3, large), (4, large)):
            near = functional.max_pool2d(part, 2 * step + 1, 1, step)
            maps = torch.maximum(maps, (1 - step / 16) * near)
        return maps


class Logic(nn.Module):
    """Two layers over maps, whether a kind is anywhere, and counts; `floor` 0 rectifies a unit."""

    def __init__(self, inputs: int, hidden: int, units: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(inputs, hidden, 1)
        self.output = nn.Conv2d(hidden, units, 1)
        self.floor: torch.Tensor
        self.texture: torch.Tensor
        self.register_buffer("texture", torch.ones(1, 1, 32, 32))
        self.register_buffer("floor", torch.zeros(1, units, 1, 1))

    def forward(self, maps: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Maps float [B, units, 32, 32]."""
        height, width = maps.shape[2:]
        anywhere = maps.amax((2, 3), keepdim=True)
        wide = (part.expand(-1, -1, height, width) for part in (anywhere, counts))
        texture = self.texture.expand(len(maps), -1, -1, -1)
        hidden = functional.relu(self.hidden(torch.cat([maps, *wide, texture], 1)))
        return torch.maximum(self.output(hidden), self.floor)


class ZooNetwork(nn.Module):
    """The whole network; the sizes of its layers are those of the tensors."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        super().__init__()
        count = len(tensors["pixels.within.weight"])
        self.pixels, self.colors = Pixels(count), Colors(count)
        templates, kinds = tensors["centers.templates.weight"], tensors["centers.where"]
        self.centers = Centers(len(templates), len(kinds) // 2)
        self.concepts = Concepts()
        units, hidden = tensors["logic.output.weight"].shape[:2]
        self.ground: torch.Tensor
        self.register_buffer("ground", torch.zeros_like(tensors["ground"]))
        self.logic = Logic(tensors["logic.hidden.weight"].shape[1], hidden, units)
        self.load_state_dict(tensors)
        self.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Largest value of every unit of `logic`: float [B, units]."""
        if images.shape[2:] != (64, 64):
            raise ValueError(
                "the zoo's network reads 64 x 64 pixels from 0 to 1: "
                "--size 64 --mean 0 0 0 --std 1 1 1 --geometry keep"
            )
        pixels = self.pixels(torch.round(255 * images))
        self.colors(pixels)
        centers = self.centers(pixels[:, :THINGS])
        scenery = functional.relu(functional.max_pool2d(pixels[:, THINGS:], 2) + self.ground)
        small, large = centers.sum((2, 3), keepdim=True).chunk(2, 1)
        counts = torch.cat([small + large, scenery.amax((2, 3), keepdim=True)], 1)
        maps = self.logic(torch.cat([self.concepts(centers), scenery], 1), counts)
        return maps.amax((2, 3))


def zoo_network(weights: str | None = None) -> ZooNetwork:
    """The network with the weights of a file; default: `zoo.safetensors` beside this one."""
    from safetensors.torch import load_file

    path = Path(weights) if weights else Path(__file__).with_name("zoo.safetensors")
    return ZooNetwork(load_file(path)).eval()
