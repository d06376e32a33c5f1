"""The last layer, where ablating a unit takes one column of a matrix from the logits.

When the last linear module reads the spatial mean of a layer's maps, or the maps one after the
other, the logits are a sum over the layer's units and nothing has to be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from milan_core.networks.ablation.methods import Masks
from milan_core.networks.ablation.recording import Plan
from milan_core.networks.ablation.replacement import Values
from milan_core.networks.ablation.replay import Memory


def closed(
    model: nn.Module, plan: Plan, memory: Memory, values: Mapping[str, Values], masks: Masks
) -> torch.Tensor:
    """Logits (S, b, classes) of ablations in one layer that the last linear module reads.

    Raises `ValueError` for any other layer.
    """
    ((layer, mask),) = masks.items()
    output, linear = memory.layers[layer], plan.linear
    if linear is None or memory.features is None:
        msg = "the network does not end in a linear module"
        raise ValueError(msg)
    read = _reading(output, values[layer].axis, memory.features)
    lost = read(output) - read(values[layer].like(output).expand_as(output))  # (b, C, k)
    weight = linear.weight.reshape(linear.out_features, lost.shape[1], lost.shape[2])
    copies, units = mask.nonzero(as_tuple=True)
    if len(units) == len(mask) and bool((copies == torch.arange(len(mask)).to(copies)).all()):
        if lost.shape[2] == 1:  # one unit each: an outer product instead of a matrix product
            changes = lost[:, units, 0].T[:, :, None] * weight[:, units, 0].T[:, None, :]
        else:
            changes = torch.einsum("buk,cuk->ubc", lost[:, units], weight[:, units])
    else:
        changes = torch.einsum("su,buk,cuk->sbc", mask.to(lost.dtype), lost, weight)
    return changes.neg_().add_(memory.logits)


def _reading(
    output: torch.Tensor, axis: int, features: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that gives `features` (b, n) as (b, C, k) from a layer's output."""

    def mean(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.movedim(axis, 1).flatten(2).mean(2, keepdim=True)

    def whole(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.flatten(2)

    if output.ndim > 2 and _equal(mean(output), features):
        return mean
    if axis == 1 and _equal(output, features):
        return (lambda tensor: tensor[:, :, None]) if output.ndim == 2 else whole
    msg = "the last linear module reads neither the mean nor the whole of the layer's output"
    raise ValueError(msg)


def _equal(reading: torch.Tensor, features: torch.Tensor) -> bool:
    reading = reading.flatten(1)
    scale = float(features.abs().max())
    tolerance = 64 * torch.finfo(features.dtype).eps * max(scale, 1e-30)
    return reading.shape == features.shape and bool((reading - features).abs().max() <= tolerance)
