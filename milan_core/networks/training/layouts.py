"""Convolutions that are trained in the order (N, C, H, W), because oneDNN fails on the other one.

On processors without AVX-512, and where `reproducible: true` holds oneDNN to AVX2, the gradient of
a 1 x 1 convolution with a stride above 1, fewer than eight input channels and a channels_last input
is written beyond its buffer (torch 2.14): the process ends with "double free or corruption". The
forward pass is not affected.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

FEWEST = 8  # input channels that fill a vector of AVX2


def train_plainly(module: nn.Module) -> None:
    """Keep inputs and weights of such convolutions contiguous, in place; other layers stay."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and _fails(part):
            part.weight.data = part.weight.data.clone(memory_format=torch.contiguous_format)
            part.register_forward_pre_hook(_contiguous)


def _fails(part: nn.Conv2d) -> bool:
    few = part.in_channels // part.groups < FEWEST
    return few and tuple(part.kernel_size) == (1, 1) and max(part.stride) > 1


def _contiguous(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args[0].contiguous(), *args[1:]
