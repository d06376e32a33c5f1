"""The data sets that need no description: `datasets.yaml`, by name."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

REGISTRY = Path(__file__).with_name("catalog.yaml")


@functools.cache
def _registry() -> dict[str, dict[str, Any]]:
    import yaml

    return yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))


def dataset_names() -> list[str]:
    """Names of the built-in data sets, in the order of the file."""
    return list(_registry())


def dataset_entry(name: str) -> dict[str, Any]:
    """The entry of a built-in data set, as `dataset_zoo` would hold it."""
    return dict(_registry()[name])


def with_datasets(raw: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose `dataset_zoo` has every built-in data set that something names.

    An entry of the same name that states no `kind` changes single keys and options of it.
    """
    zoo = raw.get("dataset_zoo")
    if not isinstance(zoo, Mapping):
        return raw
    complete = dict(zoo)
    named = set(_texts({key: value for key, value in raw.items() if key != "asset_zoo"}))
    for name, entry in _registry().items():
        own = zoo.get(name)
        if isinstance(own, Mapping) and "kind" not in own:
            options = {**entry.get("options", {}), **(own.get("options") or {})}
            complete[name] = {**entry, **own, "options": options}
        elif name not in zoo and name in named:
            complete[name] = entry
    return {**raw, "dataset_zoo": complete}


def _texts(value: Any) -> Iterator[str]:
    """Every text that is a value; keys name entries of their own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
