"""Layer outputs as spatial maps (spec 2.6, 2.7).

Every statistic of this package is defined on maps (b, C, h, w). Convolutional outputs already have
that form; tokens and vectors are brought into it here only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milan_core.core.errors import UserError
from milan_core.networks.axes import Axes
from milan_core.networks.hooks import layer_matches
from milan_core.networks.options import Tokens

if TYPE_CHECKING:
    import torch

_USUAL = ("b c", "b t c", "b c h w")


@dataclass(frozen=True)
class Layout:
    """The rule by which outputs of a network's layers become maps.

    Args:
        tokens: where the tokens of a transformer lie on the image.
        channels_last: four-dimensional outputs are (b, h, w, C) where nothing says otherwise.
        units: only the first units of every layer; None: all.
        axes: names of the axes (`milan_core.networks.axes`) of layers, by name or pattern.
        settled: axes of layers as the probe of the network settled them; filled by it.

    """

    tokens: Tokens = field(default_factory=Tokens)
    channels_last: bool = False
    units: int | None = None
    axes: Mapping[str, str] = field(default_factory=dict)
    settled: dict[str, Axes] = field(default_factory=dict, compare=False)

    def facts(self) -> dict[str, Any]:
        """The values that differ from the default, `spatialise` left out; plain values for JSON."""
        values = self.tokens.model_dump(mode="json", exclude={"spatialise"}, exclude_none=True)
        if self.channels_last:
            values["channels_last"] = True
        named = dict(self.axes)
        named.update(
            (layer, axes.text)
            for layer, axes in self.settled.items()
            if axes.text != self._default(len(axes.terms))
        )
        if named:
            values["axes"] = named
        return values if self.units is None else {**values, "units": self.units}

    def declared(self, layer: str) -> Axes | None:
        """The axes that `axes` names for a layer: by its name, else by the first pattern."""
        patterns = [pattern for pattern in self.axes if layer_matches(layer, pattern)]
        if not patterns:
            return None
        pattern = layer if layer in patterns else patterns[0]
        return Axes.parse(self.axes[pattern], f"axes of {pattern!r}")

    def axes_of(self, layer: str, ndim: int) -> Axes:
        """The axes of an output with `ndim` axes: as settled, as declared, or as usual."""
        axes = self.settled.get(layer) or self.declared(layer)
        if axes is not None:
            return axes
        if usual := self._default(ndim):
            return Axes.parse(usual)
        msg = (
            f"layer {layer!r} gives a tensor with {ndim} axes; expected (b, C, h, w) maps, "
            "(b, T, C) tokens or (b, C) vectors in its shape; choose another layer, or name its "
            f"axes with `axes: {{{layer}: ...}}`"
        )
        raise UserError(msg)

    def _default(self, ndim: int) -> str:
        maps = "b h w c" if self.channels_last else "b c h w"
        return {2: "b c", 3: "b t c", 4: maps}.get(ndim, "")

    def maps(
        self, output: torch.Tensor, layer: str = "output"
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Bring a layer's output into the form of maps.

        Args:
            output: (b, C, h, w) maps, (b, T, C) tokens, (b, C) vectors, or what the layer's axes
                say.
            layer: its name.

        Returns:
            Maps (b, C, h, w), and the class token (b, C) that was kept apart, or None. Of several
            tokens before the patches the first one is returned.

        Raises:
            UserError: for an output of another form.

        """
        maps, class_token = self._all_maps(output, layer)
        if self.units is not None:
            maps = maps[:, : self.units]
            class_token = None if class_token is None else class_token[:, : self.units]
        return maps, class_token

    def _all_maps(
        self, output: torch.Tensor, layer: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        axes = self.axes_of(layer, output.ndim)
        usual = axes.text in _USUAL and output.ndim == len(axes.terms)
        parts = output if usual else axes.split(output, layer)
        if parts.ndim == 4:
            return parts, None
        if parts.ndim == 2:
            return parts[:, :, None, None], None
        return _tokens_to_grid(parts, layer, self.tokens)


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
