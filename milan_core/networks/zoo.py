"""Any network from a few lines of configuration, or by its name.

An entry is a mapping with the keys of `milan_core.networks.options.NetworkSpec`::

    factory: torchvision.models:resnet18     # see `milan_core.networks.factories` for other forms
    kwargs: {}
    weights: {source: file, path: resnet18.safetensors}
    layers: [conv1, "layer*"]
    input: {size: 224, mean: [...], std: [...]}
    post_relu: []                            # layers recorded after a ReLU (spec 2.6)
    directions: {}                           # matrices whose rows are units
    tokens: {class_tokens: 1}                # how tokens lie on the image

or `{extends: resnet18_imagenet, ...}` over a built-in network (`milan_core/networks/catalog.yaml`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256
from milan_core.core.options import parse
from milan_core.core.seeding import seed_torch
from milan_core.images.fetch.installed import asset_folder
from milan_core.networks.catalog import extended
from milan_core.networks.directions import attach_directions
from milan_core.networks.factories import build
from milan_core.networks.known import complete, known_entry
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Entry, InputSpec, NetworkSpec
from milan_core.networks.trace import resolve_layers
from milan_core.networks.weight_options import (
    AssetWeights,
    DownloadWeights,
    FileWeights,
    Loadable,
    RandomWeights,
    StoredWeights,
)
from milan_core.networks.weights import load_weights, without_numbers

WEIGHTS_FOLDER = Path("resources/weights")


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode with what its entry says about it; layer patterns are resolved."""

    module: nn.Module
    input: InputSpec
    layers: list[str]
    post_relu: list[str]
    layout: Layout = field(default_factory=Layout)
    spec: NetworkSpec | None = None  # that it was built from, with the weights resolved


def load_network(network: str | NetworkSpec | Mapping[str, Any], **changes: Any) -> LoadedModel:
    """Build a network, load its weights and resolve its layers.

    >>> load_network("resnet101_imagenet").layers
    ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']
    >>> load_network("resnet18_imagenet", weights={"source": "random"}, layers=["layer4"])

    Args:
        network: the name of a built-in network, an entry of `model_zoo`, or parsed options.
            Published weights are read from `resources/weights`, those of packages from their
            asset or the installed package, or either from `weights={"path": FILE}`.
        changes: keys to lay over a name or an entry.

    Raises:
        UserError: for unknown keys or values, and for weights that are missing or do not fit.

    """
    spec = network if isinstance(network, NetworkSpec) else parse_network(network, **changes)
    weights = _loadable(spec)
    if isinstance(weights, RandomWeights):
        with torch.random.fork_rng(devices=[]):  # the same in every process
            seed_torch(weights.seed, "random weights")
            module = build(spec)
    else:
        module = build(spec, pretrained=not isinstance(weights, FileWeights))
    if isinstance(weights, FileWeights):
        _check_digest(Path(weights.path), weights.sha256 or "")
        load_weights(module, weights.path, weights)
    layout = Layout(spec.tokens, spec.channels_last, spec.units, spec.axes)
    attach_directions(module, spec.directions, layout)
    layers = [*spec.layers, *spec.directions]
    return LoadedModel(
        module=module.eval(),
        input=spec.input,
        layers=resolve_layers(module, layers) if layers else [],
        post_relu=resolve_layers(module, spec.post_relu) if spec.post_relu else [],
        layout=layout,
        spec=spec.model_copy(update={"weights": weights}),
    )


def parse_network(network: str | Mapping[str, Any], **changes: Any) -> NetworkSpec:
    """The options of a built-in network or of an entry of `model_zoo`, `changes` laid over them."""
    base = known_entry(network) if isinstance(network, str) else complete(network)
    merged = extended({**changes, "extends": "base"}, {"base": base})
    return parse(Entry, merged, "network")


def _loadable(spec: NetworkSpec) -> Loadable:
    """The weights, with a published file resolved to its path."""
    weights = spec.weights
    if isinstance(weights, DownloadWeights):
        path = Path(weights.path or WEIGHTS_FOLDER / weights.filename)
        if not path.is_file():
            msg = f"weights not found: {path}; get them ({weights.origin}) and place them there"
            raise UserError(msg)
        return _from_file(path, weights)
    if isinstance(weights, AssetWeights):
        return _from_file(asset_folder(weights.asset) / weights.path, weights)
    if isinstance(weights, Loadable):
        return weights
    msg = (
        f"network: weights.source: {weights.source!r} is made by a run; give the file that it "
        "made: {source: file, path: FILE}"
    )
    raise UserError(msg)


def _from_file(path: Path, weights: StoredWeights) -> FileWeights:
    reading = {name: getattr(weights, name) for name in StoredWeights.model_fields}
    return FileWeights(source="file", path=str(path), **reading)


def _check_digest(path: Path, expected: str) -> None:
    if expected and path.is_file() and not file_sha256(path).startswith(expected):
        msg = (
            f"weights {path} are not the published file: SHA-256 {file_sha256(path)[:16]}..., "
            f"expected {expected}...; fetch it again"
        )
        raise UserError(msg)


def model_hash(module: nn.Module, digits: int = 16) -> str:
    """Hexadecimal digest of a network's class, parameters and buffers.

    Networks that compute something else may share it; see `networks.fingerprint`.

    Raises:
        UserError: for tensors without numbers: on the meta device, or not initialized yet.

    """
    digest = hashlib.sha256(type(module).__qualname__.encode())
    for name, tensor in sorted(module.state_dict().items()):
        _update(digest, name, tensor)
    return digest.hexdigest()[:digits]


def _update(digest: Any, name: str, value: Any) -> None:
    if not isinstance(value, torch.Tensor):  # packed parameters of quantized networks
        parts = value if isinstance(value, tuple | list) else ()
        digest.update(f"{name} {type(value).__name__} {len(parts) or value}\n".encode())
        for number, part in enumerate(parts):
            _update(digest, f"{name}.{number}", part)
        return
    if lacking := without_numbers(value):
        msg = f"the network's tensor {name} {lacking}"
        raise UserError(msg)
    if value.is_quantized:
        digest.update(f"{name} {value.dtype} {_scales(value)}\n".encode())
        value = value.int_repr()
    elif value.layout != torch.strided:
        value = value.to_dense()
    digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
    digest.update(raw_bytes(value))


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """The bytes of a dense tensor, copied once: what NumPy has seen can be resized no more."""
    copied = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    return copied.reshape(-1).view(torch.uint8).numpy().data


def _scales(tensor: torch.Tensor) -> list[Any]:
    """The scales and zero points of a quantized tensor."""
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return [tensor.q_scale(), tensor.q_zero_point()]
    scales, zeros = tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()
    return [scales.tolist(), zeros.tolist(), tensor.q_per_channel_axis()]
