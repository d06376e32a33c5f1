"""The axes of outputs as the types of a network's modules give them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from milan_core.networks.directions import Directions

_RECENT = 60  # outputs before a layer that are asked


@dataclass
class Leaves:
    """Outputs of modules whose channel axis is known, in the order in which they ran."""

    outputs: list[tuple[tuple[int, ...], int]] = field(default_factory=list)  # shape, axis

    @property
    def token_counts(self) -> frozenset[int]:
        """Numbers of tokens so far, without lengths of the sides of maps."""
        tokens = {s[i] for s, a in self.outputs if len(s) == 3 for i in (1, 2) if i != a}
        sides = {s[i] for s, a in self.outputs if len(s) == 4 for i in (1, 2, 3) if i != a}
        return frozenset(tokens - sides)

    def channel_axis(self, shape: tuple[int, ...]) -> int | None:
        """The channel axis of an output, by the modules that ran last; None if they are at odds.

        A module counts that gave the same lengths along all axes but its channels', or as many
        channels along them.
        """
        recent = [(s, a) for s, a in self.outputs[-_RECENT:] if len(s) == len(shape)]
        same = {axis for known, axis in recent if known == shape}
        if same:
            return same.pop() if len(same) == 1 else None
        likely = {
            axis
            for known, axis in recent
            if known[axis] == shape[axis]
            or all(known[i] == shape[i] for i in range(len(shape)) if i != axis)
        }
        return likely.pop() if len(likely) == 1 else None


@contextlib.contextmanager
def watched(model: nn.Module) -> Iterator[Leaves]:
    """Note the outputs of all modules of known kinds inside a block."""
    leaves = Leaves()
    with contextlib.ExitStack() as stack:
        for module in model.modules():
            if _axis_of(module) is not None:
                stack.callback(_watch(module, leaves).remove)
        yield leaves


def _watch(module: nn.Module, leaves: Leaves) -> torch.utils.hooks.RemovableHandle:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        if not isinstance(tensor, torch.Tensor):
            return
        known = _axis_of(module)
        if known is None:
            return
        channels = known[1]
        axis = _only(tensor.shape, channels) if known[0] is None else known[0] % max(tensor.ndim, 1)
        if axis is None or tensor.ndim <= 2:
            return
        if not channels or tensor.shape[axis] == channels:
            leaves.outputs.append((tuple(tensor.shape), axis))

    return module.register_forward_hook(hook)


def _only(shape: torch.Size, channels: int) -> int | None:
    """The one axis behind the images with so many entries."""
    axes = [axis for axis in range(1, len(shape)) if shape[axis] == channels]
    return axes[0] if len(axes) == 1 else None


def _axis_of(module: nn.Module) -> tuple[int | None, int] | None:
    """(axis, channels) of a module's output; no axis: the one of that length; 0 channels: not told.

    Classes derived from `LayerNorm` may normalize another axis than the last, as timm's for maps.
    """
    if isinstance(module, Directions):
        return 3 if module.channels_last else 1, module.units
    if isinstance(module, nn.Linear):
        return -1, module.out_features
    if isinstance(module, nn.modules.conv._ConvNd):
        return 1, module.out_channels
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return 1, module.num_features
    if isinstance(module, nn.GroupNorm):
        return 1, module.num_channels
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        axis = -1 if type(module) is nn.LayerNorm else None
        return axis, int(module.normalized_shape[0])
    pools = (nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd)
    adaptive = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.PixelShuffle, nn.Upsample)
    if isinstance(module, (*pools, *adaptive)):
        return 1, 0
    return None
