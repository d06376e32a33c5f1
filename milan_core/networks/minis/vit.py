"""A small vision transformer that trains in minutes on one core (design: world.md section 5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Multi-head self-attention over all tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, t, width) -> (b, t, width)."""
        batch, tokens, width = x.shape
        parts = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))


class MLP(nn.Module):
    """The pointwise half of a block; `hidden` is what is described: post-ReLU, (b, t, hidden)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.ReLU())
        self.out = nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, t, width) -> (b, t, width)."""
        return self.out(self.hidden(x))


class Block(nn.Module):
    """Attention, then the MLP, each on normalized tokens and added to its input."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width), MLP(width, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, t, width) -> (b, t, width)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViTMini(nn.Module):
    """Patches of a square image as tokens, without a class token; gives a map of features.

    It has no classes: it learns to predict the feature maps of another network
    (`objectives.Distil`), of `features` channels and `grid` cells a side.
    """

    def __init__(
        self,
        features: int,
        grid: int,
        *,
        size: int = 64,
        patch: int = 8,
        width: int = 96,
        depth: int = 4,
        heads: int = 4,
        hidden: int = 144,
    ) -> None:
        super().__init__()
        side = size // patch
        if size % patch or side % grid:
            msg = f"size {size} must be a multiple of patch {patch}, and {side} one of grid {grid}"
            raise ValueError(msg)
        self.side, self.grid = side, grid
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.place = nn.Parameter(torch.randn(1, side * side, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, size, size) -> feature maps (b, features, grid, grid)."""
        tokens = self.patch(x).flatten(2).transpose(1, 2) + self.place
        for block in self.blocks:
            tokens = block(tokens)
        maps = self.norm(tokens).transpose(1, 2).unflatten(2, (self.side, self.side))
        maps = F.adaptive_avg_pool2d(maps, self.grid)
        return self.head(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def vit_mini(features: int, grid: int, **sizes: int) -> ViTMini:
    """ViT-mini: 0.4 M parameters, 576 units in `blocks.*.mlp.hidden`, 64 px."""
    return ViTMini(features, grid, **sizes)
