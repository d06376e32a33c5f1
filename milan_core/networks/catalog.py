"""The published networks: `catalog.yaml`, by name or through `extends`.

Networks are data: this module finds entries and lays a user's keys over them. The sections
`weights`, `input` and `tokens` add up, everything else is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, unknown
from milan_core.core.shipped import shipped_yaml

REGISTRY = Path(__file__).with_name("catalog.yaml")


def _registry() -> dict[str, dict[str, Any]]:
    return shipped_yaml(REGISTRY)


def network_names() -> list[str]:
    """Names of the published networks, in the order of the file."""
    return list(_registry())


def published_networks() -> Mapping[str, dict[str, Any]]:
    """Entries of the published networks by name."""
    return _registry()


def network_entry(name: str) -> dict[str, Any]:
    """The complete entry of a built-in network, as `model_zoo` would hold it."""
    if name not in _registry():
        raise unknown("network", name, _registry(), "the built-in networks", "milan networks list")
    return extended(_registry()[name])


def spelt_out(zoo: Mapping[str, Any], built_in: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """`model_zoo` with every entry complete: its keys over those of the entry that it extends.

    An entry that states neither `factory` nor `extends` extends the built-in one of its name.
    """
    named = {name: _with_base(name, entry, built_in) for name, entry in zoo.items()}
    return {
        name: extended(entry, named, built_in) if _extends(entry) else entry
        for name, entry in named.items()
    }


def _with_base(name: str, entry: Any, built_in: Mapping[str, dict[str, Any]]) -> Any:
    states = isinstance(entry, Mapping) and ("factory" in entry or "extends" in entry)
    if not isinstance(entry, Mapping) or states or name not in built_in:
        return entry
    return {**entry, "extends": name}


def _extends(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "extends" in entry


def extended(
    entry: Mapping[str, Any],
    zoo: Mapping[str, Any] | None = None,
    built_in: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """An entry with the keys of the entries that it names in `extends`.

    Args:
        entry: an entry of `model_zoo`.
        zoo: entries that may be extended and come first: the user's `model_zoo`.
        built_in: further entries, by default the published networks.

    """
    entries = _registry() if built_in is None else built_in
    catalogs: list[Mapping[str, Any]] = [zoo or {}, entries]
    used: set[tuple[int, str]] = set()
    layers = [dict(entry)]
    while base := layers[-1].get("extends"):
        # An entry may extend the built-in one of its own name: then the second catalog serves.
        holders = [i for i, names in enumerate(catalogs) if isinstance(names.get(base), Mapping)]
        free = [i for i in holders if (i, base) not in used and catalogs[i][base] is not entry]
        if not holders:
            raise unknown("network", str(base), [*(zoo or {}), *entries], "extends")
        if not free:
            message = f"extends: {base!r} extends itself in a circle; remove one `extends`"
            raise UserError(message)
        used.add((free[0], base))
        layers.append(dict(catalogs[free[0]][base]))
    result: dict[str, Any] = {}
    for layer in reversed(layers):
        result = _laid_over(result, layer)
    result.pop("extends", None)
    return result


def _laid_over(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """`top` over `base`, one level deep for sections; a new weights source starts afresh."""
    merged = {**base, **top}
    weights, old = top.get("weights"), base.get("weights")
    if isinstance(weights, Mapping) and isinstance(old, Mapping):
        kept = old if weights.get("source", old.get("source")) == old.get("source") else {}
        merged["weights"] = {**kept, **weights}
    for section in ("input", "tokens"):
        if isinstance(top.get(section), Mapping) and isinstance(base.get(section), Mapping):
            merged[section] = {**base[section], **top[section]}
    return merged
