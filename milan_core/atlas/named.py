"""Names that an atlas has: one that is missing is said in a sentence with the nearest ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from milan_core.core.errors import UserError, unknown

Value = TypeVar("Value")


class NotThere(UserError, KeyError):
    """A name that an atlas does not have; also a `KeyError`, so that `in` and `get` work."""

    __str__ = Exception.__str__


def not_there(what: str, name: str, names: Iterable[str], where: str) -> NotThere:
    """The error for a name that is not among `names`."""
    return NotThere(str(unknown(what, str(name), names, where)))


class Named(dict[str, Value]):
    """A dictionary whose missing names raise `NotThere`.

    Args:
        what: what its keys name.
        where: what they are of.

    """

    def __init__(self, what: str, where: str) -> None:
        super().__init__()
        self._what, self._where = what, where

    def __missing__(self, name: str) -> Value:
        raise not_there(self._what, name, self, self._where)
