"""A network in another floating-point type for the length of a block, and back without a trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from milan_core.core.errors import unknown

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@contextlib.contextmanager
def as_dtype(model: nn.Module, name: str) -> Iterator[torch.dtype]:
    """Run the block with all floating-point parameters and buffers in the type `name`.

    Afterwards every tensor is the one from before, so nothing is rounded for good. "float32" leaves
    the network as it is.
    """
    if name not in DTYPES:
        raise unknown("dtype", name, DTYPES)
    wanted = DTYPES[name]
    before: list[tuple[torch.Tensor, torch.Tensor]] = []
    if wanted != torch.float32:
        every = [*model.parameters(), *model.buffers()]
        before = [(held, held.data) for held in every if held.is_floating_point()]
    try:
        for held, data in before:
            held.data = data.to(wanted)
        yield wanted
    finally:
        for held, data in before:
            held.data = data
