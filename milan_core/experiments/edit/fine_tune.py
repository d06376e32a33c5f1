"""Training of the head after an ablation, the ablated units held at zero (paper section 7)."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.optimizers import adamw
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.experiments.edit.options import FineTune
from milan_core.images.store import Dataset
from milan_core.networks.ablation.recording import changing, module_of
from milan_core.networks.ablation.replacement import channel_axis
from milan_core.networks.calling import again, forward
from milan_core.networks.inputs import prepare
from milan_core.networks.layouts import Layout
from milan_core.networks.trace import first_tensor, resolve_layers
from milan_core.networks.zoo import LoadedModel

BATCH = 128
Change = Callable[[torch.Tensor], torch.Tensor]


def _zeroed(axis_of: Callable[[torch.Tensor], int], units: Sequence[int]) -> Change:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        axis = axis_of(tensor)
        keep = torch.ones(tensor.shape[axis], dtype=tensor.dtype, device=tensor.device)
        keep[list(units)] = 0
        return tensor * keep.view(-1, *[1] * (tensor.ndim - 1 - axis))

    return change


def hold_at_zero(module: nn.Module, units: Sequence[UnitKey], layout: Layout) -> None:
    """Make the network give zero for these units from now on; `layout` names the layers' axes."""
    by_layer: dict[str, list[int]] = {}
    for layer, unit in units:
        by_layer.setdefault(layer, []).append(unit)
    for layer, own in by_layer.items():
        axis_of = functools.partial(channel_axis, layer=layer, layout=layout)
        hook = changing(layer, _zeroed(axis_of, own))
        module_of(module, layer).register_forward_hook(hook)


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
    hold_at_zero(module, units, loaded.layout)
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
            output = again(functools.partial(forward, module, x))
            F.cross_entropy(first_tensor(output, "output"), target).backward()
            optimizer.step()
    return module.requires_grad_(False)
