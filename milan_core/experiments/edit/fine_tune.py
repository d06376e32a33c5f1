"""Training of the head after an ablation, the ablated units held at zero (paper section 7)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.optimizers import adamw
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.experiments.edit.options import FineTune
from milan_core.images.store import Dataset
from milan_core.networks.inputs import prepare
from milan_core.networks.trace import first_tensor, resolve_layers
from milan_core.networks.zoo import LoadedModel

BATCH = 128


def _zeroed(units: Sequence[int]) -> Callable[[nn.Module, Any, Any], torch.Tensor]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> torch.Tensor:
        tensor = first_tensor(output, type(module).__name__)
        keep = torch.ones(tensor.shape[1], dtype=tensor.dtype, device=tensor.device)
        keep[list(units)] = 0
        return tensor * keep.view(-1, *[1] * (tensor.ndim - 2))

    return hook


def hold_at_zero(module: nn.Module, units: Sequence[UnitKey]) -> None:
    """Make the network give zero for these units (axis 1 of their layer's output) from now on."""
    by_layer: dict[str, list[int]] = {}
    for layer, unit in units:
        by_layer.setdefault(layer, []).append(unit)
    for layer, own in by_layer.items():
        module.get_submodule(layer).register_forward_hook(_zeroed(own))


def fine_tuned(
    loaded: LoadedModel,
    units: Sequence[UnitKey],
    train: Dataset,
    settings: FineTune,
    seed: int,
    device: str = "cpu",
) -> nn.Module:
    """A copy of the network whose head was trained with `units` at zero; all else is unchanged.

    Statistics of normalization layers stay as they are.
    """
    module = copy.deepcopy(loaded.module).to(device).eval()
    hold_at_zero(module, units)
    head = {
        id(parameter)
        for name in resolve_layers(module, settings.layers)
        for parameter in module.get_submodule(name).parameters()
    }
    for parameter in module.parameters():
        parameter.requires_grad_(id(parameter) in head)
    learnt = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = adamw(learnt, lr=settings.learning_rate)
    for epoch in range(settings.epochs):
        order = generator(seed, "fine-tune", epoch).permutation(len(train.labels))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            x = prepare(train.images[rows], loaded.input, device)
            target = torch.from_numpy(np.asarray(train.labels[rows], dtype=np.int64)).to(device)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(first_tensor(module(x), "output"), target).backward()
            optimizer.step()
    return module.requires_grad_(False)
