"""Layer outputs as spatial maps (spec 2.6, 2.7).

Every statistic of this package is defined on maps (b, C, h, w). Convolutional outputs already have
that form; tokens and vectors are brought into it here, and nowhere else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from milan_core.errors import UserError

if TYPE_CHECKING:
    import torch

VitSpatialise = Literal["fixed", "legacy"]


def as_maps(
    output: torch.Tensor,
    *,
    layer: str = "output",
    vit_spatialise: VitSpatialise = "fixed",
    grid: tuple[int, int] | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Bring a layer's output into the form of maps.

    Args:
        output: (b, C, h, w) maps, (b, T, C) tokens, or (b, C) vectors.
        layer: name for error messages.
        vit_spatialise: which of h*w + 1 tokens is dropped as the class token: ``fixed`` drops the
            first, ``legacy`` the last, the error that is in the published ViT masks (spec 2.7).
        grid: (h, w) of the tokens, needed only when the grid is not square.

    Returns:
        Maps (b, C, h, w), and the class token (b, C) that was kept apart, or None.

    """
    if output.ndim == 4:
        return output, None
    if output.ndim == 2:
        return output[:, :, None, None], None
    if output.ndim == 3:
        return _tokens_to_grid(output, layer, vit_spatialise, grid)
    msg = (
        f"layer {layer!r} gives a tensor of shape {tuple(output.shape)}; expected (b, C, h, w) "
        "maps, (b, T, C) tokens or (b, C) vectors; choose another layer"
    )
    raise UserError(msg)


def _tokens_to_grid(
    tokens: torch.Tensor, layer: str, vit_spatialise: str, grid: tuple[int, int] | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    import torch

    batch, count, channels = tokens.shape
    height, width, has_class_token = _grid_of(count, layer, grid)
    class_token = None
    if has_class_token:
        if vit_spatialise not in ("fixed", "legacy"):
            msg = f"vit_spatialise is {vit_spatialise!r}; expected 'fixed' or 'legacy'"
            raise UserError(msg)
        fixed = vit_spatialise == "fixed"
        class_token = tokens[:, 0] if fixed else tokens[:, -1]
        tokens = tokens[:, 1:] if fixed else tokens[:, :-1]
    maps = tokens.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    return maps.contiguous(memory_format=torch.channels_last), class_token


def _grid_of(count: int, layer: str, grid: tuple[int, int] | None) -> tuple[int, int, bool]:
    """(h, w, whether one class token comes on top) for `count` tokens."""
    if grid is None:
        side = math.isqrt(count)
        grid = (side, side)
    extra = count - grid[0] * grid[1]
    if extra not in (0, 1) or count == 0:
        msg = (
            f"layer {layer!r} gives {count} tokens; expected h*w or h*w + 1 (class token) for a "
            f"grid of {grid[0]} x {grid[1]}; give the grid, or choose another layer"
        )
        raise UserError(msg)
    return grid[0], grid[1], extra == 1
