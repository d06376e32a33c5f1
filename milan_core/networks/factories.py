"""Python callables that make networks: named by package, by file, or by the name in a hub.

`torchvision:resnet18`, `timm:resnet18.a1_in1k` and `hf:facebook/dinov2-base` ask a library for a
network by its name there; `torchscript:FILE` and `export:FILE` open a network that was saved with
its code. Everything else is `package.module:callable` or `path/to/file.py:callable`, imported and
called with its project around it (`milan_core.core.projects`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import nn

from milan_core.core.errors import UserError, first_line
from milan_core.core.user_code import load_named, within_project
from milan_core.networks.adapters import FILES, HUBS
from milan_core.networks.adapters.reach import is_unreached, unreached
from milan_core.networks.calling import uncompiled
from milan_core.networks.options import Architecture


def build(spec: Architecture, *, pretrained: bool = False) -> nn.Module:
    """Call the factory of a network; random weights come from torch's global generator.

    Args:
        spec: factory, kwargs and trust.
        pretrained: whether a hub loads its published weights.

    """
    kind = spec.factory.partition(":")[0]
    asks_hub = kind in HUBS
    factory = resolve_factory(spec.factory)
    kwargs = dict(spec.kwargs)
    if asks_hub:
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
        reason = first_line(error)
        if asks_hub and is_unreached(error):
            raise UserError(unreached(spec.factory, reason)) from error
        msg = f"factory {spec.factory} failed: {type(error).__name__}: {reason}"
        raise UserError(msg) from error
    if not isinstance(module, nn.Module):
        msg = f"factory {spec.factory} returned {type(module).__name__}; expected torch.nn.Module"
        raise UserError(msg)
    return uncompiled(module)


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
    value = load_named(factory, "factory")
    if not callable(value):
        msg = f"factory {factory}: {attribute} is {type(value).__name__}, not a callable"
        raise UserError(msg)
    return within_project(factory, value)
