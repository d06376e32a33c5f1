"""The networks that need no description: `networks.yaml`, by name or through `extends`.

Nothing about a network is written in source: this module only finds entries and lays a user's keys
over them. Dictionaries add up (the section `weights`), everything else is replaced.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, unknown

REGISTRY = Path(__file__).with_name("catalog.yaml")


@functools.cache
def _registry() -> dict[str, dict[str, Any]]:
    import yaml

    return yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))


def network_names() -> list[str]:
    """Names of the built-in networks, in the order of the file."""
    return list(_registry())


def network_entry(name: str) -> dict[str, Any]:
    """The complete entry of a built-in network, as `model_zoo` would hold it."""
    if name not in _registry():
        raise unknown("network", name, _registry(), where="the built-in networks")
    return extended(_registry()[name])


def extended(entry: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An entry with everything that it takes over through `extends`.

    `others` are entries that may be extended beside the built-in ones, and come first: the user's
    `model_zoo`.
    """
    catalogues: list[Mapping[str, Any]] = [others or {}, _registry()]
    used: set[tuple[int, str]] = set()
    layers = [dict(entry)]
    while base := layers[-1].get("extends"):
        # An entry may refine the built-in one of its own name: then the second catalogue serves.
        places = [i for i, names in enumerate(catalogues) if isinstance(names.get(base), Mapping)]
        free = [i for i in places if (i, base) not in used and catalogues[i][base] is not entry]
        if not places:
            raise unknown("network", str(base), [*(others or {}), *_registry()], "extends")
        if not free:
            message = f"extends: {base!r} extends itself in a circle; remove one `extends`"
            raise UserError(message)
        used.add((free[0], base))
        layers.append(dict(catalogues[free[0]][base]))
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


def with_networks(raw: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose `model_zoo` is complete: extended entries, and built-in ones by name.

    A built-in network joins the catalogue when some section outside the catalogues names it
    (`models`, `corpus`, `encoder.model`, the networks of an experiment).
    """
    zoo = raw.get("model_zoo")
    if not isinstance(zoo, Mapping):
        return raw
    complete = {
        name: extended(entry, zoo) if isinstance(entry, Mapping) and "extends" in entry else entry
        for name, entry in zoo.items()
    }
    sections = [value for key, value in raw.items() if not str(key).endswith("_zoo")]
    for name in _registry():
        if name not in complete and name in set(_texts(sections)):
            complete[name] = network_entry(name)
    return {**raw, "model_zoo": complete}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
