"""An entry for `model_zoo` from what a forward pass showed of a network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from milan_core.networks.catalog import network_entry
from milan_core.networks.inputs import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from milan_core.networks.inspect import Seen

MOST_BEFORE = 16  # class tokens and registers; more are patches of a grid that is no square


def built_in_entry(name: str) -> str:
    """An entry that takes everything over from a built-in network."""
    found = network_entry(name)
    return "\n".join(
        [
            "# a built-in network; keys written here replace its own",
            "my_network:",
            f"  extends: {name}",
            f"  layers: {json.dumps(found['layers'])}",
            f"  dataset: {found['dataset']}",
        ]
    )


def entry(
    factory: str,
    kwargs: Mapping[str, Any] | None,
    size: int,
    trust: bool,
    module: nn.Module,
    layers: Mapping[str, Seen],
) -> str:
    """An entry that loads as it stands; `layers` are those suggested, with what they gave."""
    generates = isinstance(getattr(module, "code_size", None), int)
    view = f"size: {size}, mean: {list(IMAGENET_MEAN)}, std: {list(IMAGENET_STD)}"
    return "\n".join(
        [
            "# an entry for `model_zoo`; prune the layers, check mean and std",
            "my_network:",
            f"  factory: {json.dumps(factory)}",
            *(["  trust: true"] if trust else []),
            *([f"  kwargs: {json.dumps(dict(kwargs))}"] if kwargs else []),
            "  weights: {source: factory}",
            f"  input: {{{'kind: latents' if generates else view}}}",
            f"  layers: {json.dumps(list(layers))}",
            *_form(list(layers.values())),
            f"  dataset: {'my_codes' if generates else 'my_images'}",
        ]
    )


def _form(layers: list[Seen]) -> list[str]:
    """Keys that say where channels and tokens lie."""
    lines = []
    if any(layer.channels_last for layer in layers):
        lines.append("  channels_last: true")
    counts = {layer.shape[0] for layer in layers if layer.shape and len(layer.shape) == 2}
    before = {count - math.isqrt(count) ** 2 for count in counts}
    if len(before) == 1 and max(before) <= MOST_BEFORE:
        lines.append(f"  tokens: {{class_tokens: {max(before)}}}")
    elif before:
        lines.append("  # tokens on no square grid: set `tokens: {grid: [rows, columns]}`")
    return lines
