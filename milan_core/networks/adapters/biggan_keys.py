"""Published BigGAN weights under the names of our generator.

Two forms are read: the keys of BigGAN-PyTorch, which pretorched also uses
(`blocks.0.0.conv1.weight`), and the variables of the TF-Hub module
(`module/Generator/GBlock/conv0/w/ema_b999900:0`). Both store weights before spectral normalization
together with a left singular vector `u0`; one step of the power method gives the norm, as in the
evaluation of the published networks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from milan_core.core.errors import UserError
from milan_core.networks.containers import plain_state

State = dict[str, torch.Tensor]
ATTENTION_BLOCK = 4
CLASS_WIDTH = 128
AVERAGED = "/ema_b999900"
_IGNORED = re.compile(r"(\.(sv\d+|u\d+|v\d+)|accumulation_counter|num_batches_tracked)$")


def to_generator(value: Any) -> State:
    """Tensors for `milan_core.networks.adapters.biggan.Generator`, of all that a file holds."""
    state = plain_state(value, "of BigGAN")
    if any("Generator/GBlock" in key for key in state):
        state = _from_hub(state)
    if "linear.weight" not in state or "shared.weight" not in state:
        msg = (
            "these are no BigGAN weights: expected keys such as shared.weight, linear.weight and "
            f"blocks.0.0.conv1.weight, got {', '.join(list(state)[:3])}"
        )
        raise UserError(msg)
    return _named(_without_spectral_norm(state))


def _without_spectral_norm(state: State) -> State:
    """Divide every weight that comes with a `u0` by its largest singular value."""
    result = dict(state)
    for key, tensor in state.items():
        vector = state.get(f"{key.removesuffix('.weight')}.u0")
        if key.endswith(".weight") and vector is not None:
            result[key] = tensor / spectral_norm(tensor.flatten(1), vector.reshape(1, -1))
    return result


def spectral_norm(matrix: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """Largest singular value of (n, m) after one power step from `left` (1, n)."""
    normal: Callable[..., torch.Tensor] = torch.nn.functional.normalize
    right = normal(left @ matrix)
    left = normal(right @ matrix.T)
    return (left @ matrix @ right.T).squeeze()


def _named(state: State) -> State:
    """BigGAN-PyTorch's names to ours: blocks to layers, stored statistics to running ones."""
    renames = (
        (rf"^blocks\.{ATTENTION_BLOCK}\.1\.", "attn4."),
        (r"^blocks\.(\d)\.0\.", r"layer\1."),
        (r"^output_layer\.0\.gain$", "output_norm.weight"),
        (r"^output_layer\.0\.bias$", "output_norm.bias"),
        (r"^output_layer\.0\.(?:stored|running)_", "output_norm.running_"),
        (r"^output_layer\.2\.", "output_conv."),
        (r"(\.bn\d)\.(?:stored|running)_", r"\1.norm.running_"),
    )
    result: State = {}
    for key, tensor in state.items():
        if _IGNORED.search(key):
            continue
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        result[key] = tensor.reshape(()) if key == "attn4.gamma" else tensor
    return result


def _from_hub(variables: State) -> State:
    """TF-Hub's variables in the keys, shapes and channel orders of BigGAN-PyTorch."""
    # The averaged weights stand beside the last ones under the same name: they come second and win.
    by_age = sorted(variables, key=lambda key: AVERAGED in key)
    found = {re.sub(rf"^module/|:\d+$|{AVERAGED}", "", key): variables[key] for key in by_age}
    result: State = {}
    for name, tensor in found.items():
        if (key := _hub_key(name)) is not None:
            result[key] = _hub_value(key, tensor)
    return result


def _hub_key(name: str) -> str | None:
    fixed = {
        "linear/w": "shared.weight",
        "Generator/G_Z/G_linear/w": "linear.weight",
        "Generator/G_Z/G_linear/b": "linear.bias",
        "Generator/G_Z/G_linear/u0": "linear.u0",
        "Generator/ScaledCrossReplicaBN/gamma": "output_layer.0.gain",
        "Generator/ScaledCrossReplicaBN/beta": "output_layer.0.bias",
        "Generator/ScaledCrossReplicaBNbn/accumulated_mean": "output_layer.0.stored_mean",
        "Generator/ScaledCrossReplicaBNbn/accumulated_var": "output_layer.0.stored_var",
        "Generator/conv_2d/w": "output_layer.2.weight",
        "Generator/conv_2d/b": "output_layer.2.bias",
        "Generator/conv_2d/u0": "output_layer.2.u0",
        "Generator/attention/gamma": f"blocks.{ATTENTION_BLOCK}.1.gamma",
    }
    if name in fixed:
        return fixed[name]
    part = {"w": "weight", "b": "bias", "u0": "u0"}
    if found := re.fullmatch(r"Generator/attention/(theta|phi|g|o_conv)/(w|u0)", name):
        layer = "o" if found[1] == "o_conv" else found[1]
        return f"blocks.{ATTENTION_BLOCK}.1.{layer}.{part[found[2]]}"
    found = re.fullmatch(r"Generator/GBlock(?:_(\d))?/(\w+)/(?:(gamma|beta)/)?(\w+)", name)
    if not found:
        return None
    block, layer, side, last = f"blocks.{found[1] or 0}.0.", found[2], found[3], found[4]
    convolutions = {"conv0": "conv1", "conv1": "conv2", "conv_sc": "conv_sc"}
    if layer in convolutions and last in part:
        return f"{block}{convolutions[layer]}.{part[last]}"
    norm = "bn2" if layer.endswith("_1") else "bn1"
    if side and last in part:
        return f"{block}{norm}.{'gain' if side == 'gamma' else 'bias'}.{part[last]}"
    statistics = {"accumulated_mean": "stored_mean", "accumulated_var": "stored_var"}
    return f"{block}{norm}.{statistics[last]}" if last in statistics else None


def _hub_value(key: str, tensor: torch.Tensor) -> torch.Tensor:
    """Axes and channel orders: TensorFlow keeps channels last, and the code before the class."""
    if key == "shared.weight":  # (classes, 128), an embedding already
        return tensor
    if key.startswith("linear."):  # (20, 4 * 4 * C) -> (C * 4 * 4, 20)
        rows = tensor.T if tensor.ndim == 2 and key == "linear.weight" else tensor.reshape(-1, 1)
        chunks = rows.reshape(16, -1, rows.shape[1]).transpose(0, 1).reshape(-1, rows.shape[1])
        return chunks if key == "linear.weight" else chunks.reshape(-1)
    if key.endswith(".weight") and tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1)
    if key.endswith((".gain.weight", ".bias.weight")):  # (20 + 128, C) -> (C, 128 + 20)
        return torch.cat([tensor[-CLASS_WIDTH:], tensor[:-CLASS_WIDTH]]).T
    return tensor.reshape(-1) if key.endswith((".bias", ".gain", "_mean", "_var")) else tensor
