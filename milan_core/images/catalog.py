"""The published data sets: `catalog.yaml`, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.core.shipped import shipped_yaml

REGISTRY = Path(__file__).with_name("catalog.yaml")


def _registry() -> dict[str, dict[str, Any]]:
    return shipped_yaml(REGISTRY)


def dataset_names() -> list[str]:
    """Names of the published data sets, in the order of the file."""
    return list(_registry())


def dataset_entry(name: str) -> dict[str, Any]:
    """The entry of a published data set, as `dataset_zoo` would hold it."""
    return dict(_registry()[name])


def published_datasets() -> Mapping[str, dict[str, Any]]:
    """Entries of the published data sets by name."""
    return _registry()


def spelt_out(zoo: Mapping[str, Any], built_in: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """`dataset_zoo` with every entry complete.

    An entry without `kind` changes keys and options of the built-in one of its name.
    """
    return {
        name: _over(built_in[name], entry) if _changes(name, entry, built_in) else entry
        for name, entry in zoo.items()
    }


def _changes(name: str, entry: Any, built_in: Mapping[str, dict[str, Any]]) -> bool:
    return isinstance(entry, Mapping) and "kind" not in entry and name in built_in


def _over(base: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    options = {**base.get("options", {}), **(entry.get("options") or {})}
    return {**base, **entry, **({"options": options} if options else {})}
