"""Networks that a file from somebody else may name: those of this package, and of hubs by name.

A captioner's `config.json` says which network made its features, as a factory with arguments. Such
a file is data, not a program: a factory of another module, code inside a saved network, a callable
that rewrites weights and arguments that make a library open files or run code would do whatever the
file's author wants. They are refused unless the user trusts the file. A configuration is the user's
own program and may name anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from milan_core.core.errors import UserError
from milan_core.networks.adapters import HUBS
from milan_core.networks.options import NetworkSpec

_MINIS, _ADAPTERS = "milan_core.networks.minis", "milan_core.networks.adapters"
BUILDERS = frozenset(
    {
        f"{_MINIS}.cnn:resnet_mini",
        f"{_MINIS}.cnn:alexnet_mini",
        f"{_MINIS}.efficientnet_lite:efficientnet_lite0",
        f"{_MINIS}.efficientnet_lite:efficientnet_lite2",
        f"{_MINIS}.generator:generator_mini",
        f"{_MINIS}.vit:vit_mini",
        f"{_ADAPTERS}.biggan:generator",
        f"{_ADAPTERS}.huggingface:vision_model",
        f"{_ADAPTERS}.places:alexnet",
        f"{_ADAPTERS}.places:resnet152",
        f"{_ADAPTERS}.vit:dino_vits8",
    }
)
"""Factories of this package that open no file which an argument names, and run no code of one."""
CONVERSIONS = frozenset({f"{_ADAPTERS}.biggan_keys:to_generator"})
WORDS = frozenset(
    {"architecture", "hidden_act", "weights", "weights_backbone"}
    | {"global_pool", "act_layer", "norm_layer"}
)
"""Arguments that may be a text, of one word: no path, no address, no repository."""
OF_HF = frozenset({"pretrained", "revision", "add_pooling_layer", "output_hidden_states"})
"""Arguments of `hf:`; of the others some let pickled weights be read (`weights_only`)."""
_WORD, _REVISION = re.compile(r"\w[\w-]*"), re.compile(r"\w[\w./-]*")


def check_shipped(network: NetworkSpec, where: str) -> None:
    """Refuse a network that only a trusted file may name.

    Raises:
        UserError: for a factory or `convert` outside this package and the hubs, `trust`, or an
            argument of the factory by which a library could open a file or run code.

    """
    kind = network.factory.partition(":")[0]
    named = {
        "factory": "" if kind in HUBS or network.factory in BUILDERS else network.factory,
        "weights.convert": "" if _convert(network) in CONVERSIONS else _convert(network),
    }
    for key, value in named.items():
        if value:
            raise _refused(f"{where}: {key} is {value!r}, code that did not come with this package")
    if network.trust:
        raise _refused(f"{where}: it asks to run code that is saved with a network")
    for name, value in _unknown_arguments(kind, network.kwargs):
        raise _refused(
            f"{where}: {name} is {value!r}, an argument by which {network.factory} could be made "
            "to open a file or to run code"
        )


def _refused(problem: str) -> UserError:
    return UserError(
        f"{problem}; it was not run. If you trust the file as you trust a program, give --trust "
        "(trust=True)"
    )


def _convert(network: NetworkSpec) -> str:
    return str(getattr(network.weights, "convert", None) or "")


def _unknown_arguments(kind: str, kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments that a file may not give: none but numbers, truth values, and words of `WORDS`."""
    for name, value in kwargs.items():
        if kind == "hf" and name not in OF_HF:
            yield f"kwargs.{name}", value
        elif kind == "hf" and name == "revision":
            if not isinstance(value, str) or not _REVISION.fullmatch(value):
                yield f"kwargs.{name}", value
        elif name == "config" and isinstance(value, Mapping):  # of `vision_model`
            inner = ((key, item) for key, item in value.items() if not _is_plain(key, item))
            yield from ((f"kwargs.config.{key}", item) for key, item in inner)
        elif not _is_plain(name, value):
            yield f"kwargs.{name}", value


def _is_plain(name: str, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain("", item) for item in value)
    if isinstance(value, str):
        return name in WORDS and _WORD.fullmatch(value) is not None
    return value is None or isinstance(value, bool | int | float)
