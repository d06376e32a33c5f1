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

from milan_core.core.arrays import read_npy
from milan_core.core.errors import UserError, reading, unknown
from milan_core.networks.encoders import Encoder, library_encoder, refuse_pickle
from milan_core.networks.hooks import HookPoint
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Direction
from milan_core.networks.trace import first_tensor, resolve_layers

PIECE = 4096  # units that are projected at once: each by the same product in any block of units


class Directions(nn.Module):
    """Projections of maps: (b, C, h, w) -> (b, U, h, w), or (b, h, w, U) with `channels_last`.

    Args:
        encoder: the matrix, and what becomes of its products.
        top_k: units that keep their value at each position, the largest of all units; equal values
            at the limit all stay.

    """

    weight: torch.Tensor  # float32 (U, C)
    bias: torch.Tensor  # float32 (U,)
    threshold: torch.Tensor | None  # float32 (U,)

    def __init__(self, encoder: Encoder, top_k: int | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", encoder.weight)
        self.register_buffer("bias", encoder.bias)
        self.register_buffer("threshold", encoder.threshold)
        self.relu, self.top_k = encoder.relu, top_k
        self.channels_last = False  # the form of the other layers of its network
        self.source = ""  # the layer that it runs with
        self.idle = False  # while the axes of that layer are not settled
        self._block = (0, len(encoder.weight))  # the units that it gives

    @property
    def units(self) -> int:
        """Units that it gives now."""
        return self._block[1] - self._block[0]

    def take_block(self, index: int, count: int) -> bool:
        """Give block `index` of `count` of its units alone; False: it stays whole, being small."""
        total = len(self.weight)
        pieces = -(-total // PIECE)
        cut = 1 < count <= pieces
        first, stop = (pieces * i // count * PIECE for i in (index, index + 1))
        self._block = (first, min(stop, total)) if cut else (0, total)
        return cut

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """One channel for every direction of the block."""
        maps = maps.float()
        kept, largest = [], maps.new_empty(len(maps), 0, *maps.shape[2:])
        for first in range(0, len(self.weight), PIECE):
            inside = self._block[0] <= first < self._block[1]
            if inside or self.top_k:
                codes = self._codes(maps, slice(first, first + PIECE))
                if self.top_k:
                    largest = torch.cat([largest, codes], 1)
                    largest = largest.topk(min(self.top_k, largest.shape[1]), 1).values
                if inside:
                    kept.append(codes)
        found = torch.cat(kept, 1) if len(kept) > 1 else kept[0]
        if self.top_k:
            found = torch.where(found >= largest[:, -1:], found, 0)
        return found.permute(0, 2, 3, 1) if self.channels_last else found

    def _codes(self, maps: torch.Tensor, units: slice) -> torch.Tensor:
        codes = nn.functional.conv2d(maps, self.weight[units, :, None, None], self.bias[units])
        codes = torch.relu(codes) if self.relu else codes
        if self.threshold is not None:
            codes = torch.where(codes > self.threshold[units, None, None], codes, 0)
        return codes


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
        source.register_forward_pre_hook(
            lambda _, inputs, named: project([*inputs, *named.values()]), with_kwargs=True
        )
    else:
        source.register_forward_hook(lambda _, inputs, output: project(output))


def _read(name: str, entry: Direction) -> Directions:
    path = Path(entry.path)
    where = f"directions.{name}"
    if not path.is_file():
        msg = f"{where}: no file {str(path)!r}; place the matrix (units, channels) there"
        raise UserError(msg)
    tensors = _npy(path) if path.suffix == ".npy" else _safetensors(path)
    if entry.dictionary:
        encoder = library_encoder(tensors, entry, f"{where}: {path}")
    else:
        encoder = _named_encoder(tensors, entry, name, path)
    weight, bias = encoder.weight, encoder.bias
    if entry.normalise:
        weight = weight / weight.norm(dim=1, keepdim=True).clamp(min=1e-12)
    if encoder.center is not None:  # W (x - c) + b = W x + (b - W c)
        bias = bias - weight @ encoder.center
    if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
        msg = f"{where}: {path} holds values that are not finite; make it again"
        raise UserError(msg)
    return Directions(replace(encoder, weight=weight.contiguous(), bias=bias), entry.top_k)


def _named_encoder(
    tensors: Mapping[str, torch.Tensor], entry: Direction, name: str, path: Path
) -> Encoder:
    """The encoder of tensors that the entry names one by one."""
    weight = _pick(tensors, entry.matrix, name, path, dims=2)
    weight = weight.T.contiguous() if entry.transpose else weight
    units, channels = weight.shape
    bias, center, threshold = torch.zeros(units), None, None
    if entry.bias:
        bias = _vector(tensors, entry.bias, units, name, path)
    if entry.center:
        center = _vector(tensors, entry.center, channels, name, path)
    if entry.threshold:
        found = tensors.get(entry.threshold)
        one = found is not None and found.numel() == 1
        threshold = (
            tensors[entry.threshold].reshape(1).expand(units).clone()
            if one
            else _vector(tensors, entry.threshold, units, name, path)
        )
    return Encoder(weight, bias, center, relu=entry.relu, threshold=threshold)


def _npy(path: Path) -> dict[str, torch.Tensor]:
    array = read_npy(path)
    with reading(path, "an array of numbers (.npy)"):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"it holds {array.dtype}, directions are real numbers")
        return {"matrix": torch.from_numpy(np.ascontiguousarray(array, np.float32))}


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    refuse_pickle(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        msg = (
            f"{path} is not a safetensors file ({error}); write directions as .safetensors or .npy"
        )
        raise UserError(msg) from None
    if unreal := [key for key, tensor in tensors.items() if tensor.is_complex()]:
        raise UserError(f"{path}: {unreal[0]} is complex; directions are real numbers")
    return {key: tensor.float() for key, tensor in tensors.items()}


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
