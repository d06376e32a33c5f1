"""Layer outputs as spatial maps (spec 2.6, 2.7).

Every statistic of this package is defined on maps (b, C, h, w). Convolutional outputs already have
that form; tokens and vectors are brought into it here only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milan_core.core.errors import UserError
from milan_core.networks.options import Tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Layout:
    """How the outputs of a network's layers become maps.

    Args:
        tokens: where the tokens of a transformer lie on the image.
        channels_last: four-dimensional outputs are (b, h, w, C).
        units: only the first units of every layer; None: all.

    """

    tokens: Tokens = field(default_factory=Tokens)
    channels_last: bool = False
    units: int | None = None

    def facts(self) -> dict[str, Any]:
        """What differs from the default, `spatialise` left out; plain values for JSON."""
        values = self.tokens.model_dump(mode="json", exclude={"spatialise"}, exclude_none=True)
        if self.channels_last:
            values["channels_last"] = True
        return values if self.units is None else {**values, "units": self.units}

    def maps(
        self, output: torch.Tensor, layer: str = "output"
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Bring a layer's output into the form of maps.

        Args:
            output: (b, C, h, w) maps, (b, h, w, C) with `channels_last`, (b, T, C) tokens, or
                (b, C).
            layer: name for error messages.

        Returns:
            Maps (b, C, h, w), and the class token (b, C) that was kept apart, or None. Of several
            tokens before the patches the first one is returned.

        """
        maps, class_token = self._all_maps(output, layer)
        if self.units is not None:
            maps = maps[:, : self.units]
            class_token = None if class_token is None else class_token[:, : self.units]
        return maps, class_token

    def _all_maps(
        self, output: torch.Tensor, layer: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if output.ndim == 4:
            return (output.permute(0, 3, 1, 2) if self.channels_last else output), None
        if output.ndim == 2:
            return output[:, :, None, None], None
        if output.ndim == 3:
            return _tokens_to_grid(output, layer, self.tokens)
        msg = (
            f"layer {layer!r} gives a tensor of shape {tuple(output.shape)}; expected (b, C, h, w) "
            "maps, (b, T, C) tokens or (b, C) vectors; choose another layer"
        )
        raise UserError(msg)


def _tokens_to_grid(
    tokens: torch.Tensor, layer: str, form: Tokens
) -> tuple[torch.Tensor, torch.Tensor | None]:
    import torch

    batch, count, channels = tokens.shape
    height, width, extra = _grid_of(count, layer, form)
    class_token = None
    if extra:
        fixed = form.spatialise == "fixed"
        class_token = tokens[:, 0] if fixed else tokens[:, -1]
        tokens = tokens[:, extra:] if fixed else tokens[:, :-extra]
    maps = tokens.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    return maps.contiguous(memory_format=torch.channels_last), class_token


def _grid_of(count: int, layer: str, form: Tokens) -> tuple[int, int, int]:
    """(h, w, number of tokens before the patches) for `count` tokens."""
    side = math.isqrt(max(count - (form.class_tokens or 0), 0))
    height, width = form.grid or (side, side)
    extra = count - height * width
    allowed = (0, 1) if form.class_tokens is None else (form.class_tokens,)
    if extra not in allowed or extra == count:
        msg = (
            f"layer {layer!r} gives {count} tokens; expected {height} x {width} patches and "
            f"{' or '.join(map(str, allowed))} class tokens; set `tokens: {{grid: [rows, columns], "
            "class_tokens: N}`, or choose another layer"
        )
        raise UserError(msg)
    return height, width, extra
