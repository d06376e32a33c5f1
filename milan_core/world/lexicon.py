"""Names, plurals, synonyms, super-classes and colors of the contents of a world.

lexicon = load_lexicon("stickers")
lexicon.objects["dog"].plural              # 'dogs'
lexicon.accepted("dog")                    # ('dog', 'dogs', 'puppy', ...)
lexicon.color((128, 84, 50))              # 'brown'
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from milan_core.core.errors import UserError, unknown

LEXICON = Path(__file__).with_name("lexicon.yaml")
SHARED = ("colours", "common")  # sections of the file that are no world


@dataclass(frozen=True)
class Entry:
    """A concept with its words as (singular, plural) pairs, the usual pair first."""

    name: str
    words: tuple[tuple[str, str], ...]
    group: str = ""  # super-class of an object
    source: tuple[str, ...] = ()  # emoji code point or surface files

    @property
    def singular(self) -> str:
        """The usual singular."""
        return self.words[0][0]

    @property
    def plural(self) -> str:
        """The usual plural (a mass noun itself)."""
        return self.words[0][1]

    @property
    def accepted(self) -> tuple[str, ...]:
        """Phrases that name the concept, without repetition."""
        phrases = [self.name, *(form for pair in self.words for form in pair)]
        return tuple(dict.fromkeys(phrases))


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of sRGB values 0-255; float64, last axis 3.

    Distances in Lab follow perception; in RGB, dark orange would be named brown, pale blue gray.
    """
    value = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The words of a world; mappings keep the order of the file."""

    world: str
    groups: Mapping[str, Entry]
    objects: Mapping[str, Entry]
    surfaces: Mapping[str, Entry]
    common: Mapping[str, Entry]  # text, face, object, background
    colours: tuple[str, ...]
    anchors: np.ndarray  # float64 [A, 3] Lab
    anchor_colour: np.ndarray  # int64 [A] index into `colours`

    def colour(self, rgb: Sequence[float] | np.ndarray) -> str:
        """Name of the color with the nearest anchor in Lab."""
        distance = ((self.anchors - to_lab(np.asarray(rgb))) ** 2).sum(1)
        return self.colours[self.anchor_colour[int(distance.argmin())]]

    def entry(self, concept: str) -> Entry:
        """The entry of an object, surface, super-class or common concept."""
        for table in (self.objects, self.surfaces, self.common, self.groups):
            if concept in table:
                return table[concept]
        names = [*self.objects, *self.surfaces, *self.common, *self.groups]
        raise unknown("concept", concept, names, where=f"the lexicon of {self.world}")

    def accepted(self, concept: str) -> tuple[str, ...]:
        """Phrases that name the concept itself; a member does not name its super-class."""
        return self.entry(concept).accepted


def _pairs(words: str, where: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in words.split(";"):
        singular, _, plural = item.strip().partition("/")
        if not singular:
            msg = f"lexicon: empty word at {where}"
            raise UserError(msg)
        pairs.append((singular, plural or singular))
    return tuple(pairs)


def _entry(name: str, raw: Any) -> Entry:
    if isinstance(raw, str):
        return Entry(name, _pairs(raw, name))
    source = raw.get("files") or ([str(raw["emoji"])] if "emoji" in raw else [])
    words = raw["words"]
    return Entry(name, _pairs(words, name), raw.get("group", ""), tuple(source))


def _table(raw: Mapping[str, Any]) -> dict[str, Entry]:
    return {name: _entry(name, value) for name, value in raw.items()}


@functools.cache
def load_lexicon(world: str = "stickers", path: Path = LEXICON) -> Lexicon:
    """The lexicon of one world of the file."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    worlds = [name for name in raw if name not in SHARED]
    if world not in worlds:
        raise unknown("world", world, worlds)
    colours = raw["colours"]
    anchors = [rgb for name in colours for rgb in colours[name]]
    owner = [i for i, name in enumerate(colours) for _ in colours[name]]
    groups = _table(raw[world]["groups"])
    objects = _table(raw[world]["objects"])
    for entry in objects.values():
        if entry.group not in groups:
            raise unknown("super-class", entry.group, groups, where=f"{path}, {entry.name}")
    return Lexicon(
        world=world,
        groups=groups,
        objects=objects,
        surfaces=_table(raw[world]["surfaces"]),
        common=_table(raw["common"]),
        colours=tuple(colours),
        anchors=to_lab(np.array(anchors)),
        anchor_colour=np.array(owner, dtype=np.int64),
    )
