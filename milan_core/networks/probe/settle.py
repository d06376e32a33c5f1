"""Settle the axes of every layer, and whether its rows are images, before anything is mined.

Ten images in three passes: two; three of another height and width, where the network takes them;
and five, one of them from the first pass, so that an image is seen in other company, at another
place and in a batch of another size. What the sizes do not tell, the modules inside the network do,
and where a layer answers when a quarter of the image changes. Only networks that draw random
numbers, or fail here, cost more.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from milan_core.core.errors import UserError
from milan_core.networks.calling import FailedForward
from milan_core.networks.directions import Directions
from milan_core.networks.hooks import layer_matches
from milan_core.networks.kept import Kept, SmallParameters, eval_mode
from milan_core.networks.probe.forms import Seen, settle_axes
from milan_core.networks.probe.leaves import watched
from milan_core.networks.probe.passes import (
    FIRST,
    THIRD,
    Feed,
    Inputs,
    gpus,
    has_generator,
    run,
    try_run,
)
from milan_core.networks.probe.places import AGREE, in_place
from milan_core.networks.probe.refusals import (
    changes_each_time,
    depends_on_batch,
    out_of_place,
    ran_out_of_memory,
    sets_parameters,
    takes_groups,
)
from milan_core.networks.probe.result import Probe, relative, tolerance_of
from milan_core.networks.probe.tokens import check_class_tokens, check_grid
from milan_core.networks.trace import resolve_layers
from milan_core.networks.zoo import LoadedModel

AGAIN = 4  # further passes of a network that draws random numbers
ROUNDED = 1e-5  # of a parameter's largest number, where it is set twice
COPIES = 16  # of the first two images in each of them
Refusals = dict[str, UserError]  # by layer


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
        with eval_mode(network.module), torch.random.fork_rng(gpus()):
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

                self._probe.shown = self._inputs.first()
                kept, small = Kept(network.module), SmallParameters(network.module)
                drew = run(network, self._probe.shown, self._feed, keep)
            if small.changed():
                self._refuse_taken(kept, small)
            drew |= has_generator(network.module)
            self._probe.tolerance = tolerance_of(network, next(iter(self._first.values())))
            self._other_size()
            try:
                drew |= run(network, self._inputs.third(), self._feed, self._settle)
            except FailedForward as error:
                if ran_out_of_memory(error.__cause__):
                    raise
                raise takes_groups(error, FIRST, THIRD) from error
            if self._differing or drew:
                self._refuse_random(*((AGAIN, COPIES) if drew and not self._differing else (1, 1)))
        for layer, difference in self._differing.items():
            self._refuse(layer, depends_on_batch(layer, difference))
        for layer, share in self._misplaced.items():
            self._refuse(layer, out_of_place(layer, share, network.layout.settled[layer].text))
        return self._probe

    def _refuse(self, layer: str, error: UserError) -> None:
        if self._refusals is None:
            raise error
        self._refusals.setdefault(layer, error)

    def _refuse_taken(self, kept: Kept, small: SmallParameters) -> None:
        """Refuse parameters that the first pass has set, unless other images set them alike.

        So do bounds on the norms of weights; from the second pass on they change nothing.
        """
        module, found = self._network.module, SmallParameters(self._network.module)
        other = self._inputs.third()[-FIRST:]
        small.put_back()
        kept.put_back()  # such as the flag that says that numbers were taken
        if not torch.equal(other, self._inputs.first()):
            for _ in range(2):
                run(self._network, other, self._feed, lambda *_: None)
            if not found.changed(ROUNDED):
                return
            small.put_back()
            kept.put_back()
        raise sets_parameters(type(module).__name__)

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
        self._probe.sample[layer] = self._probe.answers[layer] = maps[0].detach().clone()
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
                self._refuse(layer, changes_each_time(layer, difference))

        batch = self._inputs.first().repeat([copies, *[1] * (self._inputs.first().ndim - 1)])
        for _ in range(times):
            run(self._network, batch, self._feed, compare)
