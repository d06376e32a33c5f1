"""Check weights for NaN, and parameters for infinity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.containers import is_lazy

PIECE = 1 << 22  # numbers that are looked at once


def densely(tensor: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """A sparse tensor as the dense one of its shape that a network holds; others as they are."""
    if tensor.layout == torch.strided or is_lazy(held) or held.layout != torch.strided:
        return tensor
    return tensor.to_dense() if tensor.shape == held.shape else tensor


def check_numbers(state: Mapping[str, torch.Tensor], module: nn.Module, path: Path | str) -> None:
    """Refuse NaN, and infinity in parameters: what reads no activations would pass over them.

    Buffers may hold infinity, as masks of attention do. What the network's own code has set to the
    same value is no damage: a mask that is a parameter, NaN for what is not known yet.

    Args:
        state: weights that fit the network.
        module: the network, before it takes them.
        path: of the weights.

    Raises:
        UserError: with the first key that holds such numbers, and how many.

    """
    parameters = {name for name, _ in module.named_parameters()}
    own = module.state_dict()
    for key, tensor in state.items():
        if not tensor.is_floating_point() or tensor.layout != torch.strided:
            continue
        if count := _count(tensor, own.get(key), key in parameters):
            raise UserError(
                f"weights {path}: {count} of {tensor.numel()} numbers of {key} are NaN or "
                "infinite; training diverged, or half precision overflowed: give other weights"
            )


def _count(tensor: torch.Tensor, own: torch.Tensor | None, parameter: bool) -> int:
    """How many numbers are NaN, or infinite in a parameter, and are not the network's own."""
    if own is not None and (is_lazy(own) or own.is_meta or own.layout != torch.strided):
        own = None
    given, held = tensor.reshape(-1), None if own is None else own.reshape(-1)
    count = 0
    for start in range(0, len(given), PIECE):
        part = _plain(given[start : start + PIECE])
        wrong = ~torch.isfinite(part) if parameter else torch.isnan(part)
        if held is not None and wrong.any():
            mine = _plain(held[start : start + PIECE]).to(part.device)
            wrong &= ~((part == mine) | (part.isnan() & mine.isnan()))
        count += int(torch.count_nonzero(wrong))  # a sum would take eight bytes for each
    return count


def _plain(numbers: torch.Tensor) -> torch.Tensor:
    """Return the numbers, those of one byte as float32, which `torch.isfinite` needs."""
    return numbers.float() if numbers.element_size() == 1 else numbers
