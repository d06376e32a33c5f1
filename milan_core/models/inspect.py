"""What can be hooked in a network: its layers, their shapes, and a config entry to start from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from milan_core.config.networks import network_entry, network_names
from milan_core.errors import UserError
from milan_core.models.inputs import IMAGENET_MEAN, IMAGENET_STD
from milan_core.models.trace import eval_mode, first_tensor, forward
from milan_core.models.zoo import build, load_network

_WITHOUT_UNITS = (
    nn.modules.batchnorm._NormBase,
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
    """What one forward pass showed of a module."""

    kind: str
    shape: tuple[int, ...] | None = None  # without the batch; None: no tensor
    runs: int = 0
    has_units: bool = True  # not a normalisation, pooling or activation alone
    note: str = ""

    @property
    def usable(self) -> bool:
        """Whether mining accepts the layer."""
        return self.runs == 1 and self.shape is not None and len(self.shape) in (1, 2, 3)

    @property
    def units(self) -> int:
        """Number of units: channels of maps and vectors, width of tokens."""
        if not self.usable or self.shape is None:
            return 0
        return self.shape[1] if len(self.shape) == 2 else self.shape[0]


def describe_layers(
    factory: str,
    kwargs: Mapping[str, Any] | None = None,
    size: int = 224,
    *,
    trust: bool = False,
) -> str:
    """A table of the layers of a network at one input size, and an entry for `model_zoo`.

    factory: any form of `milan_core.models.factories`, or the name of a built-in network. Hubs give
    the architecture only: nothing is downloaded but, for `hf:`, its configuration.
    """
    built_in = factory in network_names()
    if built_in:
        network = load_network(factory, weights={"source": "none"})
        module, size = network.module, network.input.size or size
        latents = network.input.kind == "latents"
        batch = torch.zeros((1, int(module.code_size) + 1) if latents else (1, 3, size, size))  # type: ignore[arg-type]
    else:
        module = build({"factory": factory, "kwargs": dict(kwargs or {}), "trust": trust})
        batch = torch.zeros(1, 3, size, size)
    seen = inspect_layers(module, batch)
    rows = [("layer", "type", "output", "units", "note")]
    for name, layer in seen.items():
        shape = "-" if layer.shape is None else " x ".join(map(str, layer.shape))
        rows.append((name, layer.kind, shape, str(layer.units or "-"), layer.note))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    ]
    entry = _built_in(factory) if built_in else _entry(factory, kwargs, size, suggest(seen), trust)
    return "\n".join([*table, "", entry])


def inspect_layers(model: nn.Module, batch: torch.Tensor) -> dict[str, Seen]:
    """Run one forward pass and note what every named module gave, in module order."""
    seen = {n: Seen(type(m).__name__) for n, m in model.named_modules(remove_duplicate=False) if n}
    with contextlib.ExitStack() as stack:
        for name, layer in seen.items():
            handle = model.get_submodule(name).register_forward_hook(_recorder(layer))
            stack.callback(handle.remove)
        stack.enter_context(eval_mode(model))
        stack.enter_context(torch.no_grad())
        forward(model, batch)
    for layer in seen.values():
        if layer.runs == 0:
            layer.note = "does not run by itself"
        elif layer.runs > 1:
            layer.note = f"runs {layer.runs} times: choose the block that holds it"
        elif not layer.usable:
            layer.note = "has no units"
    return seen


def _recorder(layer: Seen) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        layer.runs += 1
        try:
            layer.shape = tuple(first_tensor(output, "").shape[1:])
        except UserError:
            layer.shape = None
        layer.has_units = not isinstance(module, _WITHOUT_UNITS)

    return hook


def suggest(seen: Mapping[str, Seen]) -> list[str]:
    """Layers with maps at the least depth that has two of them: stages rather than single parts."""
    maps = [
        name
        for name, layer in seen.items()
        if layer.usable and layer.has_units and layer.shape is not None and len(layer.shape) > 1
    ]
    for depth in range(10):
        found = [name for name in maps if name.count(".") == depth]
        if len(found) > 1:
            return found
    return maps or [name for name, layer in seen.items() if layer.usable and layer.has_units]


def _built_in(name: str) -> str:
    entry = network_entry(name)
    return "\n".join(
        [
            "# a built-in network; keys written here replace its own",
            "my_network:",
            f"  extends: {name}",
            f"  layers: {json.dumps(entry['layers'])}",
            f"  dataset: {entry['dataset']}",
        ]
    )


def _entry(
    factory: str, kwargs: Mapping[str, Any] | None, size: int, layers: list[str], trust: bool
) -> str:
    return "\n".join(
        [
            "# an entry for `model_zoo`; prune the layers, check mean and std",
            "my_network:",
            f"  factory: {json.dumps(factory)}",
            *(["  trust: true"] if trust else []),
            *([f"  kwargs: {json.dumps(dict(kwargs))}"] if kwargs else []),
            "  weights: {source: factory}",
            f"  input: {{size: {size}, mean: {list(IMAGENET_MEAN)}, std: {list(IMAGENET_STD)}}}",
            f"  layers: {json.dumps(layers)}",
            "  dataset: my_images",
        ]
    )
