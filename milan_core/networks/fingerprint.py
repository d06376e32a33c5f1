"""Fingerprint of a loaded network: what its results are kept, merged and read by.

Parameters alone do not tell networks apart: a ReLU and an absolute value have none, and neither has
a factor in `forward`. So class and attributes of every module count, and the source of those
classes that are the user's, with all that it imports.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from milan_core.core.files import canonical_json, text_hash
from milan_core.core.user_files import closure, is_users
from milan_core.networks.version import portable_source, source_version

if TYPE_CHECKING:
    from milan_core.networks.zoo import LoadedModel

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+|milan_factory_[0-9a-f]+")
_PLAIN = (bool, int, float, str, type(None))
_CHOICES = (BuiltinFunctionType, functools.partial, torch.dtype, Enum, type)


def network_fingerprint(network: LoadedModel) -> str:
    """16 hexadecimal digits; equal ones run alike on this installation, so shards may merge.

    Covers class, attributes and source of every module, parameters and buffers, and for a network
    of the configuration its factory, arguments and libraries.
    """
    from milan_core.networks.zoo import model_hash

    facts = [model_hash(network.module), *_structure(network.module), user_source(network.module)]
    if network.spec is not None:
        facts += [portable_source(network.spec), source_version(network.spec)]
    return text_hash(canonical_json(facts), 16)


def portable_fingerprint(network: LoadedModel) -> str:
    """The state that tells networks of equal class and parameters apart; may be empty."""
    if network.spec is not None:
        return portable_source(network.spec)
    source = user_source(network.module)
    return text_hash(canonical_json([*_structure(network.module), source])) if source else ""


def user_source(module: nn.Module) -> str:
    """A digest of the user's files that the classes of a network are in; empty without any."""
    files = {_class_file(type(child)) for child in module.modules()}
    return closure(sorted(path for path in files if path is not None)).digest()


def _class_file(cls: type) -> Path | None:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return Path(file) if file and is_users(file) and cls.__module__ != "__main__" else None


def _structure(module: nn.Module) -> Iterator[str]:
    """Class, options and attributes of every module, and code that has no file."""
    for name, child in module.named_modules():
        cls = type(child)
        attributes = {
            key: value
            for key, value in sorted(vars(child).items())
            if not key.startswith("_") and key != "training" and _is_plain(value)
        }
        yield f"{name} {cls.__module__}.{cls.__qualname__}({_options(child)})"
        ours = not cls.__module__.startswith("torch.")
        if ours:
            yield _cleaned(repr(attributes))
            yield from _code_without_file(cls)
        for key, value in sorted(vars(child).items()):
            if isinstance(value, FunctionType | MethodType):
                yield f"{key} {_bytecode(value.__code__)}"
            if not key.startswith("_") and (ours or isinstance(value, FunctionType)):
                yield from _chosen(key, value)
        for key in sorted(child._non_persistent_buffers_set):
            if (buffer := child._buffers.get(key)) is not None:
                yield f"{key} {_fact(buffer)}"
        for hooks in (child._forward_pre_hooks, child._forward_hooks):
            yield from (f"hook {_fact(hook)}" for hook in hooks.values() if _is_foreign(hook))


def _chosen(key: str, value: Any) -> Iterator[str]:
    """Yield facts on an attribute that is an operation, a type, settings or a closure.

    Lists, mappings and tensors do not count: networks keep there what they have computed.
    """
    if isinstance(value, FunctionType):
        if _is_foreign(value) and (bound := _bound(value)):
            yield f"{key} {bound}"
    elif isinstance(value, _CHOICES) or is_dataclass(value):
        yield f"{key} {_fact(value)}"


def _bound(function: FunctionType, depth: int = 3) -> list[str]:
    """List facts on a function's default values and closure variables."""
    named = (function.__kwdefaults__ or {}).items()
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_full(cell)]
    return [
        *(f"{key} {_fact(value, depth)}" for key, value in sorted(named)),
        *(_fact(value, depth) for value in (*(function.__defaults__ or ()), *cells)),
    ]


def _is_full(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # of a name that is not set yet
        return False
    return True


def _is_foreign(hook: Any) -> bool:
    """Whether code is neither of this package nor of torch, whose options count otherwise."""
    module = getattr(hook, "__module__", None) or type(hook).__module__
    return module.partition(".")[0] not in ("torch", "milan_core")


def _fact(value: Any, depth: int = 4) -> str:
    """A value as a text that is the same in another process; of other kinds their class alone."""
    from milan_core.networks.zoo import raw_bytes

    inner = functools.partial(_fact, depth=depth - 1)
    if isinstance(value, nn.Module) or depth == 0:
        return type(value).__qualname__
    if _is_plain(value) or isinstance(value, torch.dtype | Enum):
        return _cleaned(repr(value))
    if isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta:
        return f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(raw_bytes(value)).hexdigest()}"
    if isinstance(value, functools.partial):
        named = [f"{key} {inner(item)}" for key, item in sorted(value.keywords.items())]
        return f"{inner(value.func)}({[*map(inner, value.args), *named]})"
    if isinstance(value, MethodType):
        return inner(value.__func__)
    if isinstance(value, FunctionType):
        return f"{_bytecode(value.__code__)} {_bound(value, depth - 1)}"
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: getattr(value, f.name, None) for f in fields(value)}
        named = [f"{key} {inner(item)}" for key, item in held.items() if _is_chosen(key, item)]
        return f"{type(value).__qualname__} {named}"
    return str(getattr(value, "__qualname__", type(value).__qualname__))


def _is_chosen(field: str, value: Any) -> bool:
    """Whether a field of a dataclass is set: no place, nor what a network computes or will."""
    return not field.startswith("_") and not isinstance(value, torch.Tensor | None)


def _options(module: nn.Module) -> str:
    """The options in a module's `extra_repr`; empty where it fails."""
    try:
        return _cleaned(module.extra_repr())
    except Exception:
        return ""


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _cleaned(text: str) -> str:
    return _ADDRESS.sub("", text)


def _code_without_file(cls: type) -> Iterator[str]:
    """Methods of a class that was defined where no file holds it: a prompt, a notebook, a script.

    A script's file does not count as a whole: what else it does is no part of its network.
    """
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None or cls.__module__ == "__main__":
        for name, value in sorted(vars(cls).items()):
            if inspect.isfunction(value):
                yield f"{cls.__qualname__}.{name} {_bytecode(value.__code__)}"


def _bytecode(code: CodeType) -> str:
    """A digest of compiled code: instructions, names and constants, inner functions included."""
    constants = map(_constant, code.co_consts)
    names = [*code.co_names, *code.co_freevars]
    return text_hash(canonical_json([code.co_code.hex(), names, list(map(_cleaned, constants))]))


def _constant(item: Any) -> str:
    if isinstance(item, frozenset):  # of `x in {...}`; its order differs between processes
        return f"frozenset {sorted(map(repr, item))}"
    return _bytecode(item) if isinstance(item, CodeType) else repr(item)
