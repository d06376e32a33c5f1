"""Python callables that make networks: named by package, by file, or by the name in a hub.

`torchvision:resnet18`, `timm:resnet18.a1_in1k` and `hf:facebook/dinov2-base` ask a library for a
network by its name there; `torchscript:FILE` and `export:FILE` open a network that was saved with
its code. Everything else is `package.module:callable` or `path/to/file.py:callable`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from milan_core.core.errors import UserError, nearest, unknown
from milan_core.networks.adapters import FILES, HUBS
from milan_core.networks.options import Architecture


def build(spec: Architecture, *, pretrained: bool = False) -> nn.Module:
    """Call the factory of a network; random weights come from torch's global generator.

    Args:
        spec: factory, kwargs and trust.
        pretrained: whether a hub loads its published weights.

    """
    kind = spec.factory.partition(":")[0]
    factory = resolve_factory(spec.factory)
    kwargs = dict(spec.kwargs)
    if kind in HUBS:
        kwargs.setdefault("pretrained", pretrained)
    elif kind in FILES:
        kwargs["trust"] = spec.trust
    try:
        module = factory(**kwargs)
    except UserError:
        raise
    except TypeError as error:
        msg = f"factory {spec.factory} does not accept kwargs {spec.kwargs}: {error}"
        raise UserError(msg) from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        msg = f"factory {spec.factory} failed: {type(error).__name__}: {reason}"
        raise UserError(msg) from error
    if not isinstance(module, nn.Module):
        msg = f"factory {spec.factory} returned {type(module).__name__}; expected torch.nn.Module"
        raise UserError(msg)
    return module


def resolve_factory(factory: str) -> Callable[..., Any]:
    """The callable named by a spec's `factory`, in any of the forms of this module."""
    kind, _, name = factory.partition(":")
    if name and kind in {**HUBS, **FILES}:
        return functools.partial(resolve_factory({**HUBS, **FILES}[kind]), name)
    source, separator, attribute = factory.rpartition(":")
    if not separator or not source or not attribute:
        msg = (
            f"factory {factory!r} is not of the form package.module:callable or "
            "path/to/file.py:callable, and names no hub or file "
            f"({', '.join(f'{kind}:...' for kind in (*HUBS, *FILES))}); "
            "example: torchvision.models:resnet18"
        )
        raise UserError(msg)
    module = _module_from_file(Path(source)) if source.endswith(".py") else _import(source)
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise unknown("callable", attribute, _public_callables(module), where=source)
        value = getattr(value, part)
    if not callable(value):
        msg = f"factory {factory}: {attribute} is {type(value).__name__}, not a callable"
        raise UserError(msg)
    return value


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
