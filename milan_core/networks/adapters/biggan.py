"""The generator of BigGAN at 256 pixels, with its blocks as layers (spec 2.8).

Hierarchical codes: z is cut into seven chunks of 20 numbers, the first for the input layer, one for
each block; a block is conditioned on the shared embedding of the class beside its chunk. Weights
are held with their spectral norm divided out: evaluation computes with nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional

from milan_core.core.errors import UserError

EMBEDDING = 128
CHUNK = 20
EPS = 1e-4  # of every batch normalization
WIDTHS = (16, 16, 8, 8, 4, 2, 1)  # times `channels`, from the input layer to the last block
ATTENTION_AFTER = 4  # the block that ends at 128 pixels
START = 4  # side of the input layer's map


class ConditionalNorm(nn.Module):
    """Batch normalization whose gain and bias are linear in the condition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)
        self.norm = nn.BatchNorm2d(channels, eps=EPS, affine=False)

    def forward(self, maps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Maps (b, C, h, w) under a condition (b, D)."""
        gain = 1 + self.gain(condition)[:, :, None, None]
        return self.norm(maps) * gain + self.bias(condition)[:, :, None, None]


class Block(nn.Module):
    """Residual block that doubles the side of its map."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.bn1 = ConditionalNorm(inputs, condition)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn2 = ConditionalNorm(outputs, condition)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_sc = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """(b, C, h, w) to (b, C', 2h, 2w)."""
        hidden = functional.interpolate(torch.relu(self.bn1(maps, condition)), scale_factor=2)
        hidden = self.conv2(torch.relu(self.bn2(self.conv1(hidden), condition)))
        return hidden + self.conv_sc(functional.interpolate(maps, scale_factor=2))


class SelfAttention(nn.Module):
    """Every position looks at a map of half the side; `gamma` scales what it adds."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.o = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(b, C, h, w) to the same shape; h and w must be even."""
        query = self.theta(maps).flatten(2).transpose(1, 2)
        key = functional.max_pool2d(self.phi(maps), 2).flatten(2).transpose(1, 2)
        value = functional.max_pool2d(self.g(maps), 2).flatten(2).transpose(1, 2)
        # One image at a time: its table of 16,384 x 4,096 weights takes 270 MB, a batch's 9 GB.
        parts = zip(query.split(1), key.split(1), value.split(1), strict=True)
        attend = functional.scaled_dot_product_attention
        mixed = torch.cat([attend(q, k, v, scale=1.0) for q, k, v in parts])
        mixed = mixed.transpose(1, 2).unflatten(2, maps.shape[2:])
        return self.gamma * self.o(mixed) + maps


class Generator(nn.Module):
    """Latent codes (b, 140 + 1), the class in the last column, to images (b, 3, 256, 256)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        widths = [factor * channels for factor in WIDTHS]
        condition = EMBEDDING + CHUNK
        self.shared = nn.Embedding(classes, EMBEDDING)
        self.linear = nn.Linear(CHUNK, widths[0] * START**2)
        for index in range(len(widths) - 1):
            self.add_module(f"layer{index}", Block(widths[index], widths[index + 1], condition))
        self.attn4 = SelfAttention(widths[ATTENTION_AFTER + 1])
        self.output_norm = nn.BatchNorm2d(widths[-1], eps=EPS)
        self.output_conv = nn.Conv2d(widths[-1], 3, 3, padding=1)

    @property
    def code_size(self) -> int:
        """Numbers in z."""
        return CHUNK * len(WIDTHS)

    def blocks(self) -> Iterator[Block]:
        """layer0 to layer5."""
        for index in range(len(WIDTHS) - 1):
            block = getattr(self, f"layer{index}")
            assert isinstance(block, Block)
            yield block

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Images in [-1, 1]."""
        if latents.ndim != 2 or latents.shape[1] != self.code_size + 1:
            msg = (
                f"the generator got input of shape {tuple(latents.shape)}; expected "
                f"(b, {self.code_size + 1}): {self.code_size} numbers and the class; probe it with "
                "a data set of latent codes"
            )
            raise UserError(msg)
        chunks = latents[:, : self.code_size].split(CHUNK, dim=1)
        embedding = self.shared(self._classes(latents[:, -1]))
        maps = self.linear(chunks[0]).unflatten(1, (-1, START, START))
        for index, block in enumerate(self.blocks()):
            maps = block(maps, torch.cat([embedding, chunks[index + 1]], dim=1))
            if index == ATTENTION_AFTER:
                maps = self.attn4(maps)
        return torch.tanh(self.output_conv(torch.relu(self.output_norm(maps))))

    def _classes(self, column: torch.Tensor) -> torch.Tensor:
        labels = column.round().long()
        if not labels.is_meta and len(labels):
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= self.classes:
                msg = f"latent classes run from {low} to {high}; this generator has {self.classes}"
                raise UserError(msg)
        return labels


def generator(channels: int = 96, classes: int = 1000) -> nn.Module:
    """BigGAN-256; `channels` is 96 for the ImageNet weights and 128 for those of Places365."""
    if channels < 8 or channels % 8:
        msg = f"channels is {channels}; expected a multiple of 8 (attention uses an eighth of them)"
        raise UserError(msg)
    return Generator(channels, classes)
