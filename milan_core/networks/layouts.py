"""Layer outputs as spatial maps (spec 2.6, 2.7).

Every statistic of this package is defined on maps (b, C, h, w). Convolutional outputs already have
that form; tokens and vectors are brought into it here, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from milan_core.core.errors import UserError, unknown

if TYPE_CHECKING:
    import torch

VitSpatialise = Literal["fixed", "legacy"]


@dataclass(frozen=True)
class Layout:
    """How the outputs of a network's layers become maps.

    spatialise: which token is taken for the class token: ``fixed`` the first, ``legacy`` the last,
        the error that is in the published ViT masks (spec 2.7).
    class_tokens: tokens before the patches (class token, registers); None: 0 or 1, by their count.
    grid: (h, w) of the patches, needed only when the grid is not square.
    channels_last: four-dimensional outputs are (b, h, w, C).
    units: only the first units of every layer; None: all.
    """

    spatialise: VitSpatialise = "fixed"
    class_tokens: int | None = None
    grid: tuple[int, int] | None = None
    channels_last: bool = False
    units: int | None = None

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Layout:
        """Read the keys `tokens`, `channels_last` and `units` of a model's spec."""
        tokens = dict(spec.get("tokens") or {})
        if extra := sorted(set(tokens) - {"class_tokens", "grid", "spatialise"}):
            raise unknown("key", extra[0], ("class_tokens", "grid", "spatialise"), "tokens")
        grid = tokens.get("grid")
        return cls(
            spatialise=tokens.get("spatialise", "fixed"),
            class_tokens=tokens.get("class_tokens"),
            grid=(int(grid[0]), int(grid[1])) if grid else None,
            channels_last=bool(spec.get("channels_last", False)),
            units=spec.get("units"),
        )

    def to_mapping(self) -> dict[str, Any]:
        """What differs from the default, `spatialise` left out; plain values for JSON."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "spatialise" and getattr(self, field.name) != field.default
        }

    def maps(
        self, output: torch.Tensor, layer: str = "output"
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Maps (b, C, h, w) of a layer's output, and the class token (b, C) kept apart, or None."""
        maps, class_token = as_maps(
            output,
            layer=layer,
            vit_spatialise=self.spatialise,
            grid=self.grid,
            class_tokens=self.class_tokens,
            channels_last=self.channels_last,
        )
        if self.units is not None:
            maps = maps[:, : self.units]
            class_token = None if class_token is None else class_token[:, : self.units]
        return maps, class_token


def as_maps(
    output: torch.Tensor,
    *,
    layer: str = "output",
    vit_spatialise: VitSpatialise = "fixed",
    grid: tuple[int, int] | None = None,
    class_tokens: int | None = None,
    channels_last: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Bring a layer's output into the form of maps.

    Args:
        output: (b, C, h, w) maps, (b, h, w, C) with `channels_last`, (b, T, C) tokens, or (b, C).
        layer: name for error messages.
        vit_spatialise: `spatialise` of `Layout`.
        grid: see `Layout`.
        class_tokens: see `Layout`.
        channels_last: see `Layout`.

    Returns:
        Maps (b, C, h, w), and the class token (b, C) that was kept apart, or None. Of several
        tokens before the patches the first one is returned.

    """
    if output.ndim == 4:
        return (output.permute(0, 3, 1, 2) if channels_last else output), None
    if output.ndim == 2:
        return output[:, :, None, None], None
    if output.ndim == 3:
        return _tokens_to_grid(output, layer, vit_spatialise, grid, class_tokens)
    msg = (
        f"layer {layer!r} gives a tensor of shape {tuple(output.shape)}; expected (b, C, h, w) "
        "maps, (b, T, C) tokens or (b, C) vectors; choose another layer"
    )
    raise UserError(msg)


def _tokens_to_grid(
    tokens: torch.Tensor,
    layer: str,
    vit_spatialise: str,
    grid: tuple[int, int] | None,
    class_tokens: int | None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    import torch

    batch, count, channels = tokens.shape
    height, width, extra = _grid_of(count, layer, grid, class_tokens)
    if vit_spatialise not in ("fixed", "legacy"):
        msg = f"vit_spatialise is {vit_spatialise!r}; expected 'fixed' or 'legacy'"
        raise UserError(msg)
    class_token = None
    if extra:
        fixed = vit_spatialise == "fixed"
        class_token = tokens[:, 0] if fixed else tokens[:, -1]
        tokens = tokens[:, extra:] if fixed else tokens[:, :-extra]
    maps = tokens.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    return maps.contiguous(memory_format=torch.channels_last), class_token


def _grid_of(
    count: int, layer: str, grid: tuple[int, int] | None, class_tokens: int | None
) -> tuple[int, int, int]:
    """(h, w, number of tokens before the patches) for `count` tokens."""
    if grid is None:
        side = math.isqrt(max(count - (class_tokens or 0), 0))
        grid = (side, side)
    extra = count - grid[0] * grid[1]
    allowed = (0, 1) if class_tokens is None else (class_tokens,)
    if extra not in allowed or extra == count:
        msg = (
            f"layer {layer!r} gives {count} tokens; expected {grid[0]} x {grid[1]} patches and "
            f"{' or '.join(map(str, allowed))} class tokens; set `tokens: {{grid: [rows, columns], "
            "class_tokens: N}`, or choose another layer"
        )
        raise UserError(msg)
    return grid[0], grid[1], extra
