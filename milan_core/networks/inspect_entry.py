"""The layers of a network as text, with an entry for `model_zoo` to start from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.seeding import torch_generator
from milan_core.networks.factories import build
from milan_core.networks.inspect import Seen, inspect_layers, settle_layers, suggest
from milan_core.networks.known import known_entry, known_networks
from milan_core.networks.options import Architecture, InputSpec, Tokens
from milan_core.networks.zoo import load_network

HINTS = 3  # lines on layers that are refused
MOST_BEFORE = 16  # class tokens and registers; more are patches of a grid that is no square


def describe_layers(
    factory: str,
    kwargs: Mapping[str, Any] | None = None,
    size: int = 224,
    *,
    trust: bool = False,
    view: InputSpec | None = None,
) -> str:
    """A table of the layers of a network at one input, and an entry for `model_zoo`.

    factory: any form of `milan_core.networks.factories`, or the name of a built-in network. Hubs
    give the architecture only: nothing is downloaded but, for `hf:`, its configuration. `view` says
    the whole input, where it is no RGB square of `size` pixels.
    """
    view = view or InputSpec(size=size)
    built_in = factory in known_networks()
    if built_in:
        network = load_network(factory, weights={"source": "random"})
        module, view = network.module, network.input
    else:
        module = build(Architecture(factory=factory, kwargs=dict(kwargs or {}), trust=trust))
    example = example_input(module, view)
    seen = inspect_layers(module, example[:1])
    table = _probed(module, seen, example, _class_tokens(suggest(seen).values()))
    if built_in:
        return f"{table}\n\n{built_in_entry(factory)}"
    chosen = suggest(seen)
    return f"{table}\n\n{entry(factory, kwargs, view, trust, module, chosen)}"


def example_input(module: nn.Module, view: InputSpec) -> torch.Tensor:
    """Two inputs of a network: noise for images, zeros for a generator's code and class."""
    codes = getattr(module, "code_size", None)
    if isinstance(codes, int):
        return torch.zeros(2, codes + 1)
    return torch.randn(2, *view.shape(), generator=torch_generator(0, "inspect"))


def _probed(
    module: nn.Module, seen: Mapping[str, Seen], rows: torch.Tensor, class_tokens: int | None
) -> str:
    """The table with what mining's probe says of every layer; else how little is known."""
    try:
        settle_layers(module, seen, rows, Tokens(class_tokens=class_tokens))
    except UserError as error:
        return f"{_table(seen)}\n# guessed from one pass, as the probe cannot run: {error}"
    text = _table(seen)
    hints = [
        f'# axes of {name}: "{hint}", if it is that'
        for name, layer in seen.items()
        if (hint := getattr(layer.refused, "hint", ""))
    ]
    if hints:
        more = [f"# and {len(hints) - HINTS} more layers"] if len(hints) > HINTS else []
        text = "\n".join([text, *hints[:HINTS], *more])
    return text


def _table(seen: Mapping[str, Seen]) -> str:
    rows = [("layer", "type", "output", "units", "axes", "note")]
    for name, layer in seen.items():
        shape = "-" if layer.shape is None else " x ".join(map(str, layer.shape))
        units = str(layer.units or "-")
        rows.append((name, layer.kind, shape, units, layer.axes or "-", layer.note))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in rows
    )


def built_in_entry(name: str) -> str:
    """An entry that takes everything over from a built-in network."""
    built_in = known_entry(name)
    return "\n".join(
        [
            "# a built-in network; keys written here replace its own",
            "my_network:",
            f"  extends: {name}",
            f"  layers: {json.dumps(built_in['layers'])}",
            f"  dataset: {built_in['dataset']}",
        ]
    )


def entry(
    factory: str,
    kwargs: Mapping[str, Any] | None,
    view: InputSpec,
    trust: bool,
    module: nn.Module,
    layers: Mapping[str, Seen],
) -> str:
    """An entry that loads as it stands; `layers` are those suggested, with what they gave."""
    generates = isinstance(getattr(module, "code_size", None), int)
    square = view.height is None
    sides = f"size: {view.size}" if square else f"height: {view.height}, width: {view.width}"
    channels = "" if view.channels == 3 else f"channels: {view.channels}, "
    numbers = f"{channels}{sides}, mean: {list(view.mean)}, std: {list(view.std)}"
    return "\n".join(
        [
            "# an entry for `model_zoo`; prune the layers, check mean and std",
            "my_network:",
            f"  factory: {json.dumps(factory)}",
            *(["  trust: true"] if trust else []),
            *([f"  kwargs: {json.dumps(dict(kwargs))}"] if kwargs else []),
            "  weights: {source: factory}",
            f"  input: {{{'kind: latents' if generates else numbers}}}",
            f"  layers: {json.dumps(list(layers))}",
            *_form(list(layers.values())),
            f"  dataset: {'my_codes' if generates else 'my_images'}",
        ]
    )


def _form(layers: Sequence[Seen]) -> list[str]:
    """Keys that say where channels and tokens lie."""
    lines = []
    if any(layer.channels_last and not layer.axes for layer in layers):
        lines.append("  channels_last: true")
    before = _class_tokens(layers)
    if before is not None:
        lines.append(f"  tokens: {{class_tokens: {before}}}")
    elif _token_counts(layers):
        lines.append("  # tokens on no square grid: set `tokens: {grid: [rows, columns]}`")
    return lines


def _token_counts(layers: Iterable[Seen]) -> set[int]:
    return {
        layer.shape[0]
        for layer in layers
        if layer.shape and len(layer.shape) == 2 and layer.axes in ("", "b t c")
    }


def _class_tokens(layers: Iterable[Seen]) -> int | None:
    """Tokens before those of a square grid, the same number in all layers; None: not so."""
    before = {count - math.isqrt(count) ** 2 for count in _token_counts(layers)}
    return max(before) if len(before) == 1 and max(before) <= MOST_BEFORE else None
