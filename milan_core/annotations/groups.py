"""The published sets and groups as data: `groups.yaml` (spec 3.1).

>>> resolve("gen")
['biggan/imagenet', 'biggan/places365']
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from milan_core.core.errors import unknown

REGISTRY = Path(__file__).with_name("groups.yaml")


@dataclass(frozen=True)
class SetFacts:
    """Published facts of a set."""

    key: str
    units: int
    descriptions: int

    @property
    def archive(self) -> str:
        """Name of the published zip."""
        return self.key.replace("/", "-") + ".zip"


@functools.cache
def _registry() -> dict[str, Any]:
    registry: dict[str, Any] = yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))
    return registry


def published_sets() -> dict[str, SetFacts]:
    """The published sets by key, in the paper's order."""
    return {key: SetFacts(key, **facts) for key, facts in _registry()["sets"].items()}


def group_names() -> list[str]:
    """All group keys."""
    return list(_registry()["groups"])


def annotation_count() -> int:
    """Annotations a unit of the published sets has."""
    return int(_registry()["annotation_count"])


def resolve(key: str, custom: Iterable[str] = ()) -> list[str]:
    """The sets that `key` stands for, in order; `custom` are further keys of single sets.

    Raises:
        UserError: for an unknown key, with the nearest known ones.

    """
    registry, custom = _registry(), list(custom)
    if key in custom or key in registry["sets"]:
        return [key]
    if key not in registry["groups"]:
        known = [*registry["sets"], *registry["groups"], *custom]
        raise unknown("annotation set or group", key, known)
    members = registry["groups"][key]
    if isinstance(members, dict):
        return [name for name in resolve(members["of"]) if name != members["without"]]
    return list(members)


def may_share_images(key: str) -> bool:
    """Whether the images of set `key` (`<architecture>/<data set>`) may be passed on.

    The patterns are for the whole key. Matched against the data set's name alone they never fit,
    which would pack ImageNet's images into every archive (spec 6.2-16).
    """
    rules, key = _registry()["images"], key.lower()
    if any(fnmatchcase(key, pattern) for pattern in rules["allowed"]):
        return True
    return not any(fnmatchcase(key, pattern) for pattern in rules["withheld"])
