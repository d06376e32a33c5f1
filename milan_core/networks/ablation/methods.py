"""Ways to get the logits of many ablations of one batch, from fastest to plainest.

An ablation is a set of units, given per layer as (S, C) booleans for S ablations at a time; its
earliest layer is where the replayed forward pass begins to differ. `stacked` makes S copies of the
batch at that layer. Where a branch that the ablation does not change joins one that it does, their
sizes differ: `mapped` lets `torch.vmap` carry the copies through both, and `copied` has S copies of
everything from the start. `plain` runs the whole network once for each ablation: the definition
that the others are compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from milan_core.networks.ablation.recording import Plan, hooked
from milan_core.networks.ablation.replacement import Values
from milan_core.networks.ablation.replay import Memory, replayed
from milan_core.networks.calling import forward
from milan_core.networks.trace import first_tensor

Masks = Mapping[str, torch.Tensor]  # per layer bool (S, C): units that each ablation replaces
Hooks = Mapping[str, Callable[[torch.Tensor], torch.Tensor]]
Method = Callable[[nn.Module, Plan, Memory, Mapping[str, Values], Masks], torch.Tensor]


def plain(
    model: nn.Module, plan: Plan, memory: Memory, values: Mapping[str, Values], masks: Masks
) -> torch.Tensor:
    """Logits (S, b, classes), one whole forward pass for each ablation."""
    logits = []
    for copy in range(len(next(iter(masks.values())))):
        hooks = {
            name: partial(_replace, values=values[name], mask=mask[copy])
            for name, mask in masks.items()
        }
        with memory.again(), hooked(model, hooks):
            logits.append(first_tensor(forward(model, memory.batch), "output"))
    return torch.stack(logits)


def _replace(output: torch.Tensor, *, values: Values, mask: torch.Tensor) -> torch.Tensor:
    shape = [-1 if axis == values.axis else 1 for axis in range(output.ndim)]
    return torch.where(mask.reshape(shape), values.like(output), output)


def stacked(
    model: nn.Module, plan: Plan, memory: Memory, values: Mapping[str, Values], masks: Masks
) -> torch.Tensor:
    """Logits (S, b, classes): from the earliest layer on, the batch holds S copies of itself."""
    return _in_copies(model, plan, memory, values, masks, len(memory.batch))


def copied(
    model: nn.Module, plan: Plan, memory: Memory, values: Mapping[str, Values], masks: Masks
) -> torch.Tensor:
    """Logits (S, b, classes): the batch, and all that is remembered of it, S times."""
    images, first = len(memory.batch), _earliest(plan, masks)
    count = len(masks[first])
    calls = {id(call): memory.calls[id(call)] for call in plan.finished[first]}
    for key, output in calls.items():
        if len(output) == images:
            calls[key] = _repeated(output, count)
    copies = replace(memory, batch=_repeated(memory.batch, count), calls=calls)
    return _in_copies(model, plan, copies, values, masks, images)


def _in_copies(
    model: nn.Module,
    plan: Plan,
    memory: Memory,
    values: Mapping[str, Values],
    masks: Masks,
    images: int,
) -> torch.Tensor:
    hooks = {
        name: partial(_stack, images=images, values=values[name], mask=mask)
        for name, mask in masks.items()
    }
    logits = _replay(model, plan, memory, _earliest(plan, masks), hooks)
    return logits.unflatten(0, (-1, images))


def _replay(model: nn.Module, plan: Plan, memory: Memory, first: str, hooks: Hooks) -> torch.Tensor:
    with memory.again(), replayed(plan, first, memory), hooked(model, hooks):
        return first_tensor(forward(model, memory.batch), "output")


def _stack(
    output: torch.Tensor, *, images: int, values: Values, mask: torch.Tensor
) -> torch.Tensor:
    """(S * b, ...): copies of the batch `output` (b, ...), or the stack it is, units replaced."""
    count = len(mask)
    copies = _repeated(output, count) if len(output) == images else output.clone()
    view = copies.unflatten(0, (count, -1))
    values.put(view, *mask.nonzero(as_tuple=True))
    return copies


def _repeated(output: torch.Tensor, count: int) -> torch.Tensor:
    """`count` copies of a batch, one after the other, in the batch's own memory format."""
    if output.ndim == 4 and output.is_contiguous(memory_format=torch.channels_last):
        return output.permute(0, 2, 3, 1).repeat(count, 1, 1, 1).permute(0, 3, 1, 2)
    return output.repeat(count, *[1] * (output.ndim - 1))


def mapped(
    model: nn.Module, plan: Plan, memory: Memory, values: Mapping[str, Values], masks: Masks
) -> torch.Tensor:
    """Logits (S, b, classes): copies are carried by `torch.vmap` through what they change."""

    def logits(chosen: dict[str, torch.Tensor]) -> torch.Tensor:
        hooks = {name: partial(_replace, values=values[name], mask=m) for name, m in chosen.items()}
        return _replay(model, plan, memory, _earliest(plan, masks), hooks)

    with warnings.catch_warnings():  # an operation without a batching rule is slow, not wrong
        warnings.filterwarnings("ignore", message="There is a performance drop")
        return torch.vmap(logits, randomness="error")(dict(masks))


def _earliest(plan: Plan, masks: Masks) -> str:
    return next(name for name in plan.layers if name in masks)
