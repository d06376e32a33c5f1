"""Directions in a layer's activation space as units: probes, dictionaries, sparse autoencoders.

Each row of a matrix (units, channels) is a unit: its map is the projection of the layer's
activation at each position, after an optional shift, with an optional bias and ReLU. The matrix
becomes a module of the network, so that everything that works on layers works on it: mining,
features, digests of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError, reading, unknown
from milan_core.core.files import read_npy
from milan_core.networks.hooks import HookPoint
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Direction
from milan_core.networks.trace import first_tensor, resolve_layers


class Directions(nn.Module):
    """Projections of maps: (b, C, h, w) -> (b, U, h, w), or (b, h, w, U) with `channels_last`."""

    weight: torch.Tensor  # float32 (U, C)
    bias: torch.Tensor  # float32 (U,)

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, *, relu: bool) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.relu = relu
        self.channels_last = False  # the form of the other layers of its network
        self.source = ""  # the layer that it runs with
        self.idle = False  # while the axes of that layer are not settled

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """One channel for every direction."""
        projections = nn.functional.conv2d(maps.float(), self.weight[:, :, None, None], self.bias)
        projections = torch.relu(projections) if self.relu else projections
        return projections.permute(0, 2, 3, 1) if self.channels_last else projections


def attach_directions(module: nn.Module, entries: Mapping[str, Direction], layout: Layout) -> None:
    """Add each matrix to the network as a module of its name that runs with its layer."""
    all_channels = replace(layout, units=None)
    for name, entry in entries.items():
        if name in dict(module.named_children()) or hasattr(module, name):
            msg = f"directions: {name!r} is a part of the network already; give another name"
            raise UserError(msg)
        layers = resolve_layers(module, entry.layer)
        if len(layers) != 1:
            msg = f"directions.{name}: layer {entry.layer!r} is {len(layers)} layers; name one"
            raise UserError(msg)
        directions = _read(name, entry)
        directions.channels_last = layout.channels_last
        module.add_module(name, directions)
        _connect(module, HookPoint.parse(layers[0]), layers[0], directions, all_channels)


def _connect(
    module: nn.Module, point: HookPoint, layer: str, directions: Directions, layout: Layout
) -> None:
    directions.source = layer

    def project(value: Any) -> None:
        if directions.idle:
            return
        maps, _ = layout.maps(first_tensor(value, layer), layer)
        channels = directions.weight.shape[1]
        if maps.shape[1] != channels:
            msg = (
                f"directions of layer {layer!r} have {channels} channels, the layer has "
                f"{maps.shape[1]}; choose the layer that they were made for, or set `transpose`"
            )
            raise UserError(msg)
        directions(torch.relu(maps) if point.relu else maps)

    source = module.get_submodule(point.module)
    if point.call:
        msg = (
            f"directions: layer {layer!r} names one of several calls; choose a layer that runs once"
        )
        raise UserError(msg)
    if point.side == "input":
        source.register_forward_pre_hook(lambda _, inputs: project(inputs))
    else:
        source.register_forward_hook(lambda _, inputs, output: project(output))


def _read(name: str, entry: Direction) -> Directions:
    path = Path(entry.path)
    if not path.is_file():
        msg = f"directions.{name}: no file {str(path)!r}; place the matrix (units, channels) there"
        raise UserError(msg)
    tensors = _npy(path) if path.suffix == ".npy" else _safetensors(path)
    weight = _pick(tensors, entry.matrix, name, path, dims=2)
    weight = weight.T.contiguous() if entry.transpose else weight
    if entry.normalise:
        weight = weight / weight.norm(dim=1, keepdim=True).clamp(min=1e-12)
    bias = torch.zeros(len(weight))
    if entry.bias:
        bias = _vector(tensors, entry.bias, len(weight), name, path)
    if entry.center:  # W (x - c) + b = W x + (b - W c)
        bias = bias - weight @ _vector(tensors, entry.center, weight.shape[1], name, path)
    if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
        msg = f"directions.{name}: {path} holds values that are not finite; make it again"
        raise UserError(msg)
    return Directions(weight, bias, relu=entry.relu)


def _npy(path: Path) -> dict[str, torch.Tensor]:
    array = read_npy(path)
    with reading(path, "an array of numbers (.npy)"):
        return {"matrix": torch.from_numpy(np.ascontiguousarray(array, np.float32))}


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return {key: tensor.float() for key, tensor in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        msg = (
            f"{path} is not a safetensors file ({error}); write directions as .safetensors or .npy"
        )
        raise UserError(msg) from None


def _pick(
    tensors: Mapping[str, torch.Tensor], key: str | None, name: str, path: Path, dims: int
) -> torch.Tensor:
    fitting = [k for k, tensor in tensors.items() if tensor.ndim == dims]
    if key is None and len(fitting) == 1:
        key = fitting[0]
    if key is None:
        msg = f"directions.{name}: {path} holds {len(fitting)} matrices; name one with `matrix:`"
        raise UserError(f"{msg} ({', '.join(sorted(tensors))})")
    if key not in tensors:
        raise unknown("tensor", key, tensors, where=f"{path} (directions.{name})")
    if tensors[key].ndim != dims or not tensors[key].numel():
        shape = tuple(tensors[key].shape)
        msg = f"directions.{name}: {key} has shape {shape}; expected {dims} dimensions"
        raise UserError(msg)
    return tensors[key]


def _vector(
    tensors: Mapping[str, torch.Tensor], key: str, length: int, name: str, path: Path
) -> torch.Tensor:
    found = _pick(tensors, key, name, path, dims=1)
    if len(found) != length:
        msg = f"directions.{name}: {key} has {len(found)} values, expected {length}"
        raise UserError(msg)
    return found
