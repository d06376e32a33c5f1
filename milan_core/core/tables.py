"""Rows of result tables: cells, and groups of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

Row = Mapping[str, Any]
"""One row of a table, its cells by column; cells that were read from a file are text."""
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def cell(value: float) -> float | str:
    """A number as a table cell; NaN is an empty cell."""
    return "" if isinstance(value, float) and math.isnan(value) else value


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by key; keys and items keep the order of their first appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
