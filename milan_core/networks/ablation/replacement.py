"""Replacements of an ablated unit's activation: zero, its mean, or another image's map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from milan_core.core.errors import UserError
from milan_core.networks.layouts import Layout

Kind = Literal["zero", "mean", "resample"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def channel_axis(output: torch.Tensor, layer: str, layout: Layout) -> int:
    """The axis of the units, by the layer's axes; those of the images must come first.

    Raises:
        UserError: for outputs without such axes.

    """
    axes = layout.axes_of(layer, output.ndim)
    if axes.images_axis != 0 or axes.channel_axis is None or len(axes.terms[0]) > 1:
        msg = (
            f"layer {layer!r} has the axes {axes.text!r}; units can be ablated where images come "
            "first and one axis holds the units: choose another layer"
        )
        raise UserError(msg)
    return axes.channel_axis


@dataclass(frozen=True)
class Values:
    """The replacement values of one layer's units for one batch.

    `of` is None for zero, (C,) for means, or the layer's output for other images, shaped like the
    batch's own, for resampling. `axis` is the units' axis of the layer's output.
    """

    axis: int
    of: torch.Tensor | None = None

    def like(self, output: torch.Tensor) -> torch.Tensor:
        """The replacement of every unit, broadcastable to `output`."""
        if self.of is None:
            return output.new_zeros(())
        if self.of.ndim > 1:
            return self.of
        return self.of.reshape([-1 if axis == self.axis else 1 for axis in range(output.ndim)])

    def differs(self, output: torch.Tensor) -> torch.Tensor:
        """Bool (C,): units that an ablation changes for some image of the batch."""
        others = [axis for axis in range(output.ndim) if axis != self.axis]
        return (output != self.like(output)).any(dim=others)

    def put(self, stacked: torch.Tensor, copies: torch.Tensor, units: torch.Tensor) -> None:
        """Ablate unit `units[p]` in copy `copies[p]` of `stacked` (S, b, ...), in place."""
        view = stacked.movedim(self.axis + 1, 2)
        if self.of is None:
            view[copies, :, units] = 0
        elif self.of.ndim == 1:
            view[copies, :, units] = self.of[units].reshape(-1, *[1] * (view.ndim - 2))
        else:
            view[copies, :, units] = self.of.movedim(self.axis, 0)[units]
