"""Exemplar features as a captioner reads them: checked, in blocks of units, on its device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from milan_core.core.errors import UserError
from milan_core.networks.feeding import on_way


def check_features(features: Any, size: int) -> None:
    """Refuse features that are not (units, k, size), with k from 1."""
    shape = tuple(np.shape(features))
    if len(shape) != 3 or shape[1] < 1 or shape[2] != size:
        message = f"features have shape {shape}; this captioner reads (units, k, {size})"
        raise UserError(message)


def feature_blocks(features: Any, rows: int, device: torch.device) -> Iterator[Tensor]:
    """The features as blocks float32 (at most rows, k, F) on a device.

    Raises:
        UserError: for the first unit with a feature that is not finite.

    """
    for start in range(0, len(features), rows):
        block = features[start : start + rows]
        if not isinstance(block, Tensor):
            block = torch.from_numpy(np.require(block, np.float32, ["C", "W"]))
        block = block.to(torch.float32)
        if not torch.isfinite(block).all():  # where they come from, so that no device waits
            bad = start + int((~torch.isfinite(block)).flatten(1).any(1).nonzero()[0, 0])
            message = f"the features of unit {bad} are not finite; check its exemplars"
            raise UserError(message)
        yield on_way(block, device)
