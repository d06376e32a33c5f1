"""Settle the axes of every layer, and whether its rows are images, before anything is mined.

Ten images in three passes: two; three of another height and width, where the network takes them;
and five, one of them from the first pass, so that an image is seen in other company, at another
place and in a batch of another size. What the sizes do not tell, the modules inside the network do,
and where a layer answers when a quarter of the image changes. Only networks that draw random
numbers, or fail here, cost more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from milan_core.core.errors import UserError
from milan_core.networks.directions import Directions
from milan_core.networks.hooks import layer_matches
from milan_core.networks.layouts import Layout
from milan_core.networks.precision import is_mixed
from milan_core.networks.probe.forms import Seen, settle_axes
from milan_core.networks.probe.leaves import watched
from milan_core.networks.probe.passes import FIRST, Feed, Inputs, has_generator, run, try_run
from milan_core.networks.probe.places import AGREE, in_place
from milan_core.networks.probe.tokens import check_class_tokens, check_grid
from milan_core.networks.trace import resolve_layers
from milan_core.networks.zoo import LoadedModel

#: Largest difference between two answers to one image, in parts of the layer's largest value.
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
COARSE = 5e-2  # half precision, and quantized layers, whose scale may be that of the batch
GPU = 1e-2  # float32 whose convolutions may round to TF32
AGAIN = 4  # further passes of a network that draws random numbers
COPIES = 16  # of the first two images in each of them
Refusals = dict[str, UserError]  # by layer


@dataclass
class Probe:
    """The result of the probe, for the record and for the first batch that is mined.

    Args:
        layers: of each layer its axes, its shape for two images, what told the axes, and the share
            of cells in their place.
        tolerance: see `TOLERANCE`.
        difference: the largest that was seen.
        sample: maps (C, h, w) of the first image.

    """

    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    tolerance: float = 1e-3
    difference: float = 0.0
    sample: dict[str, torch.Tensor] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Plain values for a record."""
        difference = float(f"{self.difference:.1e}")
        return {"difference": difference, "tolerance": self.tolerance, "layers": self.layers}

    def check_rows(self, layer: str, maps: torch.Tensor, count: int) -> None:
        """Refuse a batch of mining whose maps are not one for each of its `count` inputs."""
        if len(maps) != count:
            axes = self.layers[layer]["axes"]
            msg = (
                f"layer {layer!r} gives {len(maps)} rows for {count} images, and {FIRST} for "
                f"{FIRST}, with axes {axes!r}: its form changes from batch to batch; choose "
                "another layer, or another batch_size"
            )
            raise UserError(msg)

    def check_first(self, layer: str, maps: torch.Tensor) -> None:
        """Compare the maps of the first mined image, in its batch, with those of the probe."""
        sample = self.sample.pop(layer, None)
        if sample is None or sample.shape != maps.shape[1:]:
            return
        difference = relative(sample.to(maps.device), maps[0])
        if difference > self.tolerance:
            raise _company(layer, difference)


def look_at(network: LoadedModel, rows: torch.Tensor, feed: Feed) -> tuple[Probe, Refusals]:
    """Settle what can be settled of the layers of a network, and say why the others cannot be.

    Args:
        network: as for `settle`.
        rows: one or two inputs.
        feed: brings a batch to the device and type of the network.

    Raises:
        UserError: for a network that cannot run on these inputs.

    """
    refusals: Refusals = {}
    return _Passes(network, feed, refusals).run(rows), refusals


def settle(network: LoadedModel, rows: torch.Tensor, feed: Feed) -> Probe:
    """Settle the axes of all layers of a network, and note them in its layout.

    Args:
        network: in evaluation, on its device, in the type in which it will be mined.
        rows: one or two inputs, the first of them the first that will be mined.
        feed: brings a batch to the device and type of the network, as mining does.

    Raises:
        UserError: for layers whose axes cannot be known, and for networks that answer differently
            each time or depend on the company of an image.

    """
    _check_patterns(network)
    connected = [module for module in network.module.modules() if isinstance(module, Directions)]
    if connected:
        sources = list(dict.fromkeys(module.source for module in connected))
        for module in connected:
            module.idle = True
        try:
            every = replace(network.layout, units=None)
            _Passes(LoadedModel(network.module, network.input, sources, [], every), feed).run(rows)
        finally:
            for module in connected:
                module.idle = False
    return _Passes(network, feed).run(rows)


def _check_patterns(network: LoadedModel) -> None:
    """Refuse names in `axes` that mean no module of the network."""
    layers = resolve_layers(network.module, network.layers)
    for pattern in network.layout.axes:
        if not any(layer_matches(layer, pattern) for layer in layers):
            resolve_layers(network.module, pattern)


class _Passes:
    """The passes; with `refusals` a layer that is refused is put there, and the others go on."""

    def __init__(self, network: LoadedModel, feed: Feed, refusals: Refusals | None = None) -> None:
        self._network, self._feed, self._refusals = network, feed, refusals
        self._first: dict[str, torch.Tensor] = {}
        self._modules: dict[str, int | None] = {}
        self._tokens: dict[str, frozenset[int]] = {}
        self._other: dict[str, tuple[tuple[int, ...], tuple[int, int]]] = {}
        self._differing: dict[str, float] = {}
        self._misplaced: dict[str, float] = {}
        self._probe = Probe()
        self._inputs: Inputs

    def run(self, rows: torch.Tensor) -> Probe:
        network, self._inputs = self._network, Inputs(rows)
        for layer in resolve_layers(network.module, network.layers):
            network.layout.settled.pop(layer, None)
        with torch.random.fork_rng(_gpus()):
            with watched(network.module) as leaves:

                def keep(layer: str, output: torch.Tensor) -> None:
                    if output.is_complex():
                        msg = f"layer {layer!r} gives complex numbers; choose a layer behind it"
                        self._refuse(layer, UserError(msg))
                    if not output.numel():
                        msg = (
                            f"layer {layer!r} gives an empty tensor of shape {tuple(output.shape)}"
                        )
                        self._refuse(layer, UserError(f"{msg}; choose another layer"))
                    self._first[layer] = output.detach().clone()
                    self._modules[layer] = leaves.channel_axis(tuple(output.shape))
                    self._tokens[layer] = leaves.token_counts

                drew = run(network, self._inputs.first(), self._feed, keep)
            drew |= has_generator(network.module)
            self._probe.tolerance = _tolerance(network, next(iter(self._first.values())))
            self._other_size()
            drew |= run(network, self._inputs.third(), self._feed, self._settle)
            if self._differing or drew:
                self._refuse_random(*((AGAIN, COPIES) if drew and not self._differing else (1, 1)))
        for layer, difference in self._differing.items():
            self._refuse(layer, _company(layer, difference))
        for layer, share in self._misplaced.items():
            self._refuse(layer, _out_of_place(layer, share, network.layout))
        return self._probe

    def _refuse(self, layer: str, error: UserError) -> None:
        if self._refusals is None:
            raise error
        self._refusals.setdefault(layer, error)

    def _other_size(self) -> None:
        for batch in self._inputs.other_sizes():
            sides = (batch.shape[2], batch.shape[3])

            def note(layer: str, output: torch.Tensor, sides: tuple[int, int] = sides) -> None:
                self._other.setdefault(layer, (tuple(output.shape), sides))

            try_run(self._network, batch, self._feed, note)
            if len(self._other) == len(self._first):
                return

    def _settle(self, layer: str, output: torch.Tensor) -> None:
        if layer in (self._refusals or {}):
            return
        try:
            self._settle_axes(layer, output)
        except UserError as error:
            self._refuse(layer, error)

    def _settle_axes(self, layer: str, output: torch.Tensor) -> None:
        first, layout = self._first[layer], self._network.layout
        declared = layout.declared(layer)
        shape = tuple(first.shape)
        if declared is not None:
            axes, how = declared.sized(shape, FIRST, layer), "declared"
        else:
            other, other_sides = self._other.get(layer, (None, None))
            axes, how = settle_axes(
                Seen(
                    *(layer, shape, output, other, self._modules[layer]),
                    sides=self._inputs.sides,
                    other_sides=other_sides,
                    token_counts=self._tokens[layer],
                    channels_last=layout.channels_last,
                )
            )
        layout.settled[layer] = axes
        before, after = axes.split(first, layer), axes.split(output, layer)
        difference = relative(before[1], after[0]) if len(before) == FIRST else 1.0
        self._probe.difference = max(self._probe.difference, difference)
        if difference > self._probe.tolerance:
            self._differing[layer] = difference
        tokens = after.ndim == 3
        if tokens:
            check_grid(layer, after.shape[1], layout.tokens, self._inputs.sides)
        maps, _ = layout.maps(output, layer)
        checked = self._inputs.sides and how != "declared" and layout.tokens.spatialise == "fixed"
        places = in_place(maps) if checked else None
        if places is not None and places < AGREE:
            self._misplaced[layer] = places
        if tokens and checked and after.shape[1] > math.prod(maps.shape[2:]):
            check_class_tokens(layer, after, (maps.shape[2], maps.shape[3]))
        self._probe.sample[layer] = maps[0].detach().clone()
        self._probe.layers[layer] = {"axes": axes.text, "shape": list(shape), "by": how}
        if places is not None:
            self._probe.layers[layer]["in_place"] = round(places, 2)

    def _refuse_random(self, times: int, copies: int) -> None:
        """Refuse a network that answers the first batch otherwise when it is asked again."""

        def compare(layer: str, output: torch.Tensor) -> None:
            if layer in (self._refusals or {}):
                return
            axes = self._network.layout.settled[layer]
            before = axes.split(self._first[layer], layer)
            after = axes.split(output, layer)
            same = before.shape[1:] == after.shape[1:]
            repeats = [copies, *[1] * (before.ndim - 1)]
            difference = relative(before.repeat(repeats), after) if same else 1.0
            if difference > self._probe.tolerance:
                self._refuse(layer, _random(layer, difference))

        batch = self._inputs.first().repeat([copies, *[1] * (self._inputs.first().ndim - 1)])
        for _ in range(times):
            run(self._network, batch, self._feed, compare)


def relative(one: torch.Tensor, two: torch.Tensor) -> float:
    """Largest difference, in parts of the largest value; NaN and infinities count for nothing."""
    a, b = (x.detach().double().nan_to_num(0.0, 0.0, 0.0) for x in (one, two))
    scale = float(torch.maximum(a.abs(), b.abs()).max()) if a.numel() else 0.0
    return float((a - b).abs().max()) / scale if scale > 0 else 0.0


def _tolerance(network: LoadedModel, output: torch.Tensor) -> float:
    exact = COARSE if is_mixed(output.device) else TOLERANCE.get(output.dtype, COARSE)
    if any("quantized" in type(module).__module__ for module in network.module.modules()):
        return COARSE
    return max(exact, GPU) if output.is_cuda else exact


def _gpus() -> list[int]:
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []


def _random(layer: str, difference: float) -> UserError:
    return UserError(
        f"layer {layer!r} answers differently each time it is shown the same images, by "
        f"{difference:.2g} of its largest value: something stays random in evaluation, such as "
        "dropout or masking; switch it off in the factory or its `kwargs`, or choose a layer "
        "before it"
    )


def _company(layer: str, difference: float) -> UserError:
    return UserError(
        f"layer {layer!r} gives an image other values in other company, by {difference:.2g} of its "
        "largest value: something depends on the batch, such as BatchNorm without running "
        "statistics; give it fixed ones in the factory or its `kwargs`, or choose a layer before it"
    )


def _out_of_place(layer: str, share: float, layout: Layout) -> UserError:
    axes = layout.settled[layer].text
    return UserError(
        f"layer {layer!r} does not answer where the image changes ({share:.0%} of its cells, as "
        f"{axes!r}): its rows, columns or tokens are not in the order of the image, such as those "
        f'of windows; say their order with `axes: {{"{layer}": "b (y=N x=N h w) c"}}` '
        "(or `tokens`), or choose a layer whose output is a map"
    )
