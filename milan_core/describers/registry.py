"""Describers by name: declared in `options`, loaded from the module of their name.

    find_describer("netdissect")             # milan_core/describers/netdissect.py
    find_describer("my_package.toy:Toy")     # of another package, or path/to/file.py:Toy
    load_describer(NetDissectOptions(), Resources())   # options say which describer

Only the module of the describer that is asked for is imported. A rule whose step looks describers
up names their modules as roots of its code (`step_code("describers.label", "describers.invert")`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from milan_core.core.errors import UserError, unknown
from milan_core.core.options import parse
from milan_core.core.user_code import load_named
from milan_core.describers import options
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Describer, Resources


def declared() -> dict[str, type[DescriberOptions]]:
    """The options of every describer of this package, by name, in the order of declaration."""
    return {cls.describer_name(): cls for cls in _classes()}


def _classes() -> Iterator[type[DescriberOptions]]:
    for item in vars(options).values():
        declares = isinstance(item, type) and issubclass(item, DescriberOptions)
        # Sections of the configuration that extend a declaration inherit its field.
        if declares and "describer" in item.__annotations__:
            yield item


def find_describer(name: str) -> type[Describer]:
    """The class of a describer: a name of this package, `module:Class`, or `file.py:Class`."""
    if ":" in name:
        return _foreign(name)
    if name not in declared():
        raise unknown("describer", name, declared())
    return _built_in(name)


def _built_in(name: str) -> type[Describer]:
    """The describer in the module of that name; it is the only one that the module defines."""
    module = importlib.import_module(f"{__package__}.{name}")
    (described_class,) = (
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Describer)
        and item.__module__ == module.__name__
    )
    return described_class


def _foreign(name: str) -> type[Describer]:
    found = load_named(name, "describer")
    if not (isinstance(found, type) and issubclass(found, Describer)):
        raise UserError(f"describer {name} is no subclass of Describer")
    return found


def describer_options(name: str, raw: Any) -> DescriberOptions:
    """`raw` (a mapping) as the options of the describer of that name."""
    return parse(find_describer(name).Options, raw, f"options of describer {name!r}")


def load_describer(chosen: DescriberOptions, resources: Resources) -> Describer:
    """The describer of this package that has these options, with its models and files.

    It does not look at other declarations, so they are no part of the code of its steps.
    """
    return _built_in(chosen.describer_name()).load(chosen, resources)
