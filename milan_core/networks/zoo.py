"""Any network from a few lines of configuration, or by its name.

A spec is a mapping::

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

from milan_core.core.errors import UserError, unknown
from milan_core.core.seeding import seed_torch
from milan_core.networks.catalog import extended, network_entry
from milan_core.networks.directions import attach_directions
from milan_core.networks.factories import build, resolve_factory
from milan_core.networks.inputs import InputSpec
from milan_core.networks.layouts import Layout
from milan_core.networks.options import NetworkSpec, weights_filename
from milan_core.networks.trace import resolve_layers
from milan_core.networks.weights import load_weights

__all__ = ["LoadedModel", "build", "load_model", "load_network", "model_hash", "resolve_factory"]

SPEC_KEYS = (
    *("factory", "kwargs", "trust", "weights", "layers", "input", "post_relu"),
    *("directions", "units", "tokens", "channels_last"),
)
# About a run, not about the network:
BESIDE_KEYS = ("name", "extends", "dataset", "batch_size", "dtype", "compile")
WEIGHT_SOURCES = ("none", "random", "factory", "file", "download")
WEIGHTS_FOLDER = Path("resources/weights")


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode with what its spec says about it; layer patterns are resolved."""

    module: nn.Module
    input: InputSpec
    layers: list[str]
    post_relu: list[str]
    layout: Layout = field(default_factory=Layout)


def load_network(spec: str | NetworkSpec | Mapping[str, Any], **changes: Any) -> LoadedModel:
    """Load a network by name, or from any entry of `model_zoo`; `changes` are laid over it.

    >>> load_network("resnet101_imagenet").layers
    ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']
    >>> load_network("resnet18_imagenet", weights={"source": "random"}, layers=["layer4"])

    Published weights are read from `resources/weights`, or from `weights={"path": FILE}`.
    """
    if isinstance(spec, NetworkSpec):
        spec = {**spec.model_dump(exclude_defaults=True), "input": spec.input.model_dump()}
    base = network_entry(spec) if isinstance(spec, str) else extended(spec)
    merged = extended({**changes, "extends": "base"}, {"base": base})
    return load_model({key: value for key, value in merged.items() if key not in BESIDE_KEYS})


def load_model(spec: Mapping[str, Any]) -> LoadedModel:
    """Build the network of a complete spec, load its weights and resolve its layers."""
    _check_keys(spec)
    weights = dict(spec.get("weights") or {})
    source = weights.get("source", "none")
    if source not in WEIGHT_SOURCES:
        raise unknown("weights source", str(source), WEIGHT_SOURCES)
    path = _weights_path(weights)
    module = _build_random(spec, int(weights.get("seed", 0))) if source == "random" else build(spec)
    if path is not None:
        _check_digest(path, str(weights.get("sha256") or ""))
        load_weights(module, path, weights)
    directions = dict(spec.get("directions") or {})
    layout = Layout.from_spec(spec)
    attach_directions(module, directions, layout)
    layers = [*(spec.get("layers") or ()), *directions]
    post_relu = list(spec.get("post_relu") or ())
    return LoadedModel(
        module=module.eval(),
        input=InputSpec.from_mapping(spec.get("input") or {}),
        layers=resolve_layers(module, layers) if layers else [],
        post_relu=resolve_layers(module, post_relu) if post_relu else [],
        layout=layout,
    )


def _build_random(spec: Mapping[str, Any], seed: int) -> nn.Module:
    """The same random weights in every process."""
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed, "random weights")
        return build(spec)


def _weights_path(weights: Mapping[str, Any]) -> Path | None:
    """The file to read, or None where the factory or chance makes the weights."""
    source, path = weights.get("source", "none"), weights.get("path")
    if source == "file" and not path:
        msg = "weights: source is 'file' but no path is given; add `path:` with a weight file"
        raise UserError(msg)
    if source in ("file", "download") and path:
        return Path(path)
    if source != "download":
        return None
    found = WEIGHTS_FOLDER / weights_filename(weights.get("file"), weights.get("url"))
    if not found.is_file():
        origin = weights.get("url") or weights.get("obtain") or "no address is known"
        msg = f"weights not found: {found}; get them ({origin}) and place them there"
        raise UserError(msg)
    return found


def _check_digest(path: Path, expected: str) -> None:
    from milan_core.core.files import file_sha256

    if expected and path.is_file() and not file_sha256(path).startswith(expected):
        msg = (
            f"weights {path} are not the published file: SHA-256 {file_sha256(path)[:16]}..., "
            f"expected {expected}...; fetch it again"
        )
        raise UserError(msg)


def _check_keys(spec: Mapping[str, Any]) -> None:
    for key in spec:
        if key not in SPEC_KEYS:
            raise unknown("key", key, SPEC_KEYS, where="a model's spec")
    if not spec.get("factory"):
        msg = "a model's spec has no `factory`; give package.module:callable or file.py:callable"
        raise UserError(msg)


def model_hash(module: nn.Module, digits: int = 16) -> str:
    """Hexadecimal digest of a network's class, parameters and buffers."""
    digest = hashlib.sha256(type(module).__qualname__.encode())
    for name, tensor in sorted(module.state_dict().items()):
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(raw.numpy().tobytes())
    return digest.hexdigest()[:digits]
