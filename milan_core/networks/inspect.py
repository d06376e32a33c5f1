"""The layers of a network that can be hooked: their shapes, and what the probe says of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.calling import again, forward
from milan_core.networks.kept import eval_mode
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec, Tokens
from milan_core.networks.probe.settle import look_at
from milan_core.networks.trace import first_tensor, takes_hooks
from milan_core.networks.zoo import LoadedModel

_WITHOUT_UNITS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.dropout._DropoutNd,
    nn.ReLU,
    nn.Identity,
    nn.Flatten,
)


@dataclass
class Seen:
    """One forward pass of a module, and what the probe that mining makes says of it.

    Attributes:
        kind: its class.
        shape: of its output, without the batch; None: no tensor.
        runs: how often it ran.
        has_units: not a normalization, pooling or activation alone.
        axes: of its output, as the probe settled them; empty where there was no probe.
        channels: length of the axis of the units, as the probe settled it.
        refused: why the probe refuses the layer.
        note: for the table.

    """

    kind: str
    shape: tuple[int, ...] | None = None
    runs: int = 0
    has_units: bool = True
    axes: str = ""
    channels: int = 0
    refused: UserError | None = None
    note: str = ""

    @property
    def usable(self) -> bool:
        """Whether mining accepts the layer by its bare name."""
        return self.runs == 1 and self.has_form

    @property
    def has_form(self) -> bool:
        """Whether its output has one of the forms that units are found in."""
        if self.axes or self.refused:
            return self.refused is None
        return self.shape is not None and len(self.shape) in (1, 2, 3)

    @property
    def channels_last(self) -> bool:
        """Whether its maps are (h, w, C): as the probe settled it, else two equal sides come first.

        Without a probe square maps with as many channels as rows count as (C, h, w).
        """
        if self.axes:
            return self.axes == "b h w c"
        shape = self.shape
        return shape is not None and len(shape) == 3 and shape[0] == shape[1] != shape[2]

    @property
    def units(self) -> int:
        """Number of units: channels of maps and vectors, width of tokens."""
        if not self.has_form or self.shape is None or not self.runs:
            return 0
        if self.axes:
            return self.channels
        return self.shape[-1] if len(self.shape) == 2 or self.channels_last else self.shape[0]

    def names(self, name: str) -> list[str]:
        """The layer's name for mining: its own, or one for each of its runs."""
        return [name] if self.runs == 1 else [f"{name}@call{i + 1}" for i in range(self.runs)]


def inspect_layers(model: nn.Module, batch: torch.Tensor) -> dict[str, Seen]:
    """Run one forward pass and note what every named module gave, in module order."""
    return again(lambda: _looked_at(model, batch))


def _looked_at(model: nn.Module, batch: torch.Tensor) -> dict[str, Seen]:
    modules = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
    seen = {name: _seen(module) for name, module in modules.items()}
    with contextlib.ExitStack() as stack:
        for name, layer in seen.items():
            if not takes_hooks(modules[name]):
                continue
            handle = modules[name].register_forward_hook(_recorder(layer))
            stack.callback(handle.remove)
        stack.enter_context(eval_mode(model))
        stack.enter_context(torch.no_grad())
        forward(model, batch)
    for name, layer in seen.items():
        layer.note = _note(name, layer)
    return seen


def settle_layers(
    model: nn.Module, seen: Mapping[str, Seen], rows: torch.Tensor, tokens: Tokens
) -> None:
    """Put into `seen` what the probe of mining settles or refuses: three passes, ten inputs.

    A layer that runs several times is looked at in its first run.

    Args:
        model: the network.
        seen: of its layers, by `inspect_layers`.
        rows: two inputs.
        tokens: where tokens lie on the image.

    Raises:
        UserError: where the network cannot run on several inputs at once.

    """
    runs = {
        layer.names(name)[0]: (name, layer)
        for name, layer in seen.items()
        if layer.runs and layer.shape is not None
    }
    network = LoadedModel(model, InputSpec(), list(runs), [], Layout(tokens))
    probe, refusals = look_at(network, rows, lambda batch: batch)
    for run, (name, layer) in runs.items():
        layer.refused = refusals.get(run)
        if layer.refused is None:
            facts = probe.layers[run]
            layer.axes = facts["axes"]
            layer.channels = facts["shape"][layer.axes.split().index("c")]
        layer.note = _note(name, layer)


def _seen(module: nn.Module) -> Seen:
    """The kind of a module, also of one that stands for a module of a saved program."""
    kind = type(module).__name__
    if callable(named := getattr(module, "type_name", None)):
        kind = str(named() or kind).rpartition(".")[2]
    bare = getattr(nn, kind, type(module))
    without = isinstance(bare, type) and issubclass(bare, _WITHOUT_UNITS)
    return Seen(kind, has_units=not without and next(module.parameters(), None) is not None)


def _recorder(layer: Seen) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        layer.runs += 1
        try:
            layer.shape = tuple(first_tensor(output, "").shape[1:])
        except UserError:
            layer.shape = None

    return hook


def _note(name: str, layer: Seen) -> str:
    if layer.runs == 0:
        return "does not run by itself"
    if layer.refused:
        return f"refused: {getattr(layer.refused, 'looks', layer.refused)}"
    if not layer.has_form:
        return "has no units"
    if layer.runs > 1:
        return f"runs {layer.runs} times: {' or '.join(layer.names(name)[:3])}, or the block"
    return "" if layer.axes or not layer.channels_last else "channels last"


def suggest(seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """Layers at the least depth that has two with maps: stages rather than single parts.

    Without a probe all have their channels on the same side, as one entry says it for all of its
    layers. A layer that runs several times stands there once for each run. Layers without weights
    of their own are taken where there are no others.
    """
    formed = {name: layer for name, layer in seen.items() if layer.runs and layer.has_form}
    own = {name: layer for name, layer in formed.items() if layer.has_units}
    maps = {name: layer for name, layer in own.items() if len(layer.shape or ()) > 1}
    return _runs(_at_one_depth(maps) or maps or own or formed)


def _at_one_depth(maps: Mapping[str, Seen]) -> dict[str, Seen]:
    for depth in range(10):
        found = {name: layer for name, layer in maps.items() if name.count(".") == depth}
        if len(found) > 1 and all(layer.axes for layer in found.values()):
            return found
        last = {name: layer for name, layer in found.items() if layer.channels_last}
        first = {name: layer for name, layer in found.items() if name not in last}
        most = last if len(last) > len(first) else first
        if len(most) > 1:
            return most
    return {}


def _runs(layers: Mapping[str, Seen]) -> dict[str, Seen]:
    return {run: layer for name, layer in layers.items() for run in layer.names(name)}
