"""Networks that are known by name: the published ones, and those of the embedded world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milan_core.core.errors import unknown
from milan_core.networks import catalog
from milan_core.world.catalog import world_networks


def known_networks() -> dict[str, dict[str, Any]]:
    """Their entries as they are written, by name."""
    return {**world_networks(), **catalog.published_networks()}


def known_entry(name: str) -> dict[str, Any]:
    """The complete entry of a known network, as `model_zoo` would hold it."""
    entries = known_networks()
    if name not in entries:
        raise unknown("network", name, entries, "the built-in networks", "milan networks list")
    return complete(entries[name])


def complete(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with the keys of the known network that it extends, if any."""
    return catalog.extended(entry, built_in=known_networks())
