"""The type in which a network multiplies: float32, or bfloat16 by torch's autocast."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from milan_core.core.errors import unknown

NAMES = ("float32", "bfloat16")


def in_precision(name: str, device: str) -> contextlib.AbstractContextManager[Any]:
    """Run the block with products of networks in the type `name`.

    In bfloat16 torch casts the operands of convolutions and matrix products, and on a GPU keeps in
    float32 what loses accuracy, such as softmax and some normalizations (`torch.autocast`). Weights
    stay as they are, and tensors that a network makes by itself fit. "float32" changes nothing.

    Raises:
        UserError: for another name.

    """
    if name not in NAMES:
        raise unknown("dtype", name, NAMES)
    if name == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def is_mixed(device: torch.device) -> bool:
    """Whether products on a device are in lower precision now."""
    return bool(torch.is_autocast_enabled(device.type))


def precision_facts(name: str) -> dict[str, str]:
    """For a record: how a network multiplied, where that is not float32."""
    return {} if name == "float32" else {"products": f"{name} by autocast"}
