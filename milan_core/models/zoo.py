"""Any network from a few lines of configuration.

A spec is a mapping::

    factory: torchvision.models:resnet18     # or path/to/file.py:callable
    kwargs: {}
    weights: {source: file, path: resnet18.safetensors}   # source: none | factory | file
    layers: [conv1, "layer*"]
    input: {size: 224, mean: [...], std: [...]}
    post_relu: []                            # layers recorded after a ReLU (spec 2.6)
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from milan_core.errors import UserError, nearest, unknown
from milan_core.models.inputs import InputSpec
from milan_core.models.trace import resolve_layers
from milan_core.models.weights import load_weights

SPEC_KEYS = ("factory", "kwargs", "weights", "layers", "input", "post_relu")
WEIGHT_SOURCES = ("none", "factory", "file")


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode with what its spec says about it; layer patterns are resolved."""

    module: nn.Module
    input: InputSpec
    layers: list[str]
    post_relu: list[str]


def load_model(spec: Mapping[str, Any]) -> LoadedModel:
    """Build the network of a spec, load its weights and resolve its layers."""
    _check_keys(spec)
    module = build(spec)
    weights = dict(spec.get("weights") or {})
    source = weights.get("source", "none")
    if source not in WEIGHT_SOURCES:
        raise unknown("weights source", str(source), WEIGHT_SOURCES)
    if source == "file":
        if not weights.get("path"):
            msg = "weights: source is 'file' but no path is given; add `path:` with a weight file"
            raise UserError(msg)
        load_weights(module, weights["path"])
    post_relu = list(spec.get("post_relu") or ())
    return LoadedModel(
        module=module.eval(),
        input=InputSpec.from_mapping(spec.get("input") or {}),
        layers=resolve_layers(module, spec["layers"]) if spec.get("layers") else [],
        post_relu=resolve_layers(module, post_relu) if post_relu else [],
    )


def build(spec: Mapping[str, Any]) -> nn.Module:
    """Call the factory of a spec; random weights come from torch's global generator."""
    factory = resolve_factory(str(spec["factory"]))
    kwargs = dict(spec.get("kwargs") or {})
    try:
        module = factory(**kwargs)
    except TypeError as error:
        msg = f"factory {spec['factory']} does not accept kwargs {kwargs}: {error}"
        raise UserError(msg) from error
    except Exception as error:
        msg = f"factory {spec['factory']} failed: {type(error).__name__}: {error}"
        raise UserError(msg) from error
    if not isinstance(module, nn.Module):
        msg = (
            f"factory {spec['factory']} returned {type(module).__name__}; expected torch.nn.Module"
        )
        raise UserError(msg)
    return module


def _check_keys(spec: Mapping[str, Any]) -> None:
    for key in spec:
        if key not in SPEC_KEYS:
            raise unknown("key", key, SPEC_KEYS, where="a model's spec")
    if not spec.get("factory"):
        msg = "a model's spec has no `factory`; give package.module:callable or file.py:callable"
        raise UserError(msg)


def resolve_factory(factory: str) -> Callable[..., Any]:
    """The callable named by ``package.module:callable`` or ``path/to/file.py:callable``."""
    place, separator, attribute = factory.rpartition(":")
    if not separator or not place or not attribute:
        msg = (
            f"factory {factory!r} is not of the form package.module:callable or "
            "path/to/file.py:callable; example: torchvision.models:resnet18"
        )
        raise UserError(msg)
    module = _module_from_file(Path(place)) if place.endswith(".py") else _import(place)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise unknown("callable", attribute, _public_callables(module), where=place)
        found = getattr(found, part)
    if not callable(found):
        msg = f"factory {factory}: {attribute} is {type(found).__name__}, not a callable"
        raise UserError(msg)
    return found


def _public_callables(module: ModuleType) -> list[str]:
    return [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n))]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = getattr(error, "name", None) or name
        if name != missing and not name.startswith(f"{missing}."):
            msg = f"factory module {name} cannot be imported: it needs {missing} ({error})"
            raise UserError(msg) from error
        close = nearest(name, [key for key in sys.modules if key.count(".") == name.count(".")])
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        msg = (
            f"factory module {name!r} cannot be imported ({error}); install its package in this "
            f"environment or give path/to/file.py:callable{hint}"
        )
        raise UserError(msg) from error


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        msg = f"factory file not found: {path} (looked in {Path.cwd()})"
        raise UserError(msg)
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"milan_factory_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look themselves up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        msg = f"factory file {path} cannot be run: {type(error).__name__}: {error}"
        raise UserError(msg) from error
    return module


def model_hash(module: nn.Module, digits: int = 16) -> str:
    """Hexadecimal digest of a network's class, parameters and buffers."""
    digest = hashlib.sha256(type(module).__qualname__.encode())
    for name, tensor in sorted(module.state_dict().items()):
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(raw.numpy().tobytes())
    return digest.hexdigest()[:digits]
