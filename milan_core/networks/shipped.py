"""Networks that a file from somebody else may name: those of this package, and of hubs by name.

A captioner's `config.json` says which network made its features, as a factory with arguments. Such
a file is data, not a program: a factory of another module, code inside a saved network and a
callable that rewrites weights would run whatever the file's author wants. They are refused unless
the user trusts the file. A configuration is the user's own program and may name anything.
"""

from __future__ import annotations

import re

from milan_core.core.errors import UserError
from milan_core.networks.adapters import HUBS
from milan_core.networks.options import NetworkSpec

MODULES = ("milan_core.networks.minis.", "milan_core.networks.adapters.")
_DOTTED = re.compile(r"[A-Za-z0-9_.]+:[A-Za-z0-9_]+")


def check_shipped(network: NetworkSpec, where: str) -> None:
    """Refuse a network that only a trusted file may name.

    Raises:
        UserError: for a factory or `convert` outside this package and the hubs, or `trust`.

    """
    named = {"factory": network.factory, "weights.convert": _convert(network)}
    for key, value in named.items():
        if value and not _is_shipped(value):
            raise UserError(
                f"{where}: {key} is {value!r}, code that did not come with this package; it was "
                "not run. If you trust the file as you trust a program, give --trust (trust=True)"
            )
    if network.trust:
        raise UserError(
            f"{where}: it asks to run code that is saved with a network; it was not run. If you "
            "trust the file as you trust a program, give --trust (trust=True)"
        )


def _convert(network: NetworkSpec) -> str:
    return str(getattr(network.weights, "convert", None) or "")


def _is_shipped(name: str) -> bool:
    place = name.partition(":")[0]
    return place in HUBS or (_DOTTED.fullmatch(name) is not None and name.startswith(MODULES))
