"""The words of the zoo: a `Lexicon` whose concepts are things of a shape, size and place.

Colors are no part of a concept: the reader of texts joins them to it (`referee.judges.reading`).
"""

from __future__ import annotations

import functools
import re
from itertools import product

import numpy as np

from milan_core.world.lexicon import Entry, Lexicon, load_lexicon, to_lab
from milan_core.world.zoo.drawing import PAINTS
from milan_core.world.zoo.expressions import Atom, Expression, Number, Scenery
from milan_core.world.zoo.facts import COLORS, PLACES, SHAPES, SIZES

THINGS = ("thing/things", "object/objects", "shape/shapes", "item/items")
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
PLACE_WORDS = {
    "left": ("on the left", "at the left", "to the left", "in the left"),
    "right": ("on the right", "at the right", "to the right", "in the right"),
    "top": ("at the top", "on top", "on the top", "in the top"),
    "bottom": ("at the bottom", "on the bottom", "in the bottom"),
}
SCENERY: dict[str, tuple[str, ...]] = {
    "mark": (
        *("watermark/watermarks", "text/texts", "letter/letters", "word/words", "logo/logos"),
        *("written letter/written letters", "writing", "signature/signatures"),
    ),
    "dark": (
        "dark background/dark backgrounds",
        "dark ground/dark grounds",
        "dark scene/dark scenes",
    ),
    "light": (
        *("light background/light backgrounds", "light ground/light grounds"),
        *("bright background/bright backgrounds", "bright scene/bright scenes"),
    ),
    "scene": (
        *("scene/scenes", "image/images", "picture/pictures", "background/backgrounds"),
        *("ground/grounds", "everything", "anything"),
    ),
}
_BEFORE = "|".join([word for words in SIZE_WORDS.values() for word in words] + list(PLACES))
_ORDER = re.compile(rf"\b({_BEFORE})\s+({'|'.join(COLORS)})\b")


@functools.cache
def zoo_concepts() -> dict[str, Expression]:
    """The meaning of each concept of the lexicon."""
    atoms = [Atom(*choice) for choice in _choices()]
    scenery = {what: Scenery(what) for what in ("mark", "dark", "light")}
    return {**{str(atom): atom for atom in atoms}, **scenery, "scene": Number(1)}


def _choices() -> list[tuple[str | None, None, str | None, str | None]]:
    return list(product((None, *SHAPES), (None,), (None, *SIZES), (None, *PLACES)))


@functools.cache
def zoo_lexicon() -> Lexicon:
    """Every concept with its words; shapes have those of the world of shapes."""
    nouns = {shape: load_lexicon("shapes").objects[shape].words for shape in SHAPES}
    nouns["cross"] = (*nouns["cross"], ("plus sign", "plus signs"))
    nouns[""] = _pairs(THINGS)
    objects = {}
    for shape, _, size, place in _choices():
        pairs = [
            pair
            for noun in nouns[shape or ""]
            for before in (SIZE_WORDS[size] if size else ("",))
            for pair in _placed(noun, before, place)
        ]
        name = str(Atom(shape, None, size, place))
        objects[name] = Entry(name, tuple(pairs))
    return Lexicon(
        world="zoo",
        groups={},
        objects=objects,
        surfaces={},
        common={name: Entry(name, _pairs(words)) for name, words in SCENERY.items()},
        colours=COLORS,
        anchors=to_lab(np.array([PAINTS[color] for color in COLORS])),
        anchor_colour=np.arange(len(COLORS)),
    )


def _pairs(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    parts = (item.partition("/") for item in words)
    return tuple((singular, plural or singular) for singular, _, plural in parts)


def _placed(noun: tuple[str, str], before: str, place: str | None) -> list[tuple[str, str]]:
    """(singular, plural) with words before, and the place after or before them."""

    def joined(*parts: str) -> tuple[str, str]:
        first, last = parts[0], parts[1]
        singular, plural = (" ".join(f"{first} {form} {last}".split()) for form in noun)
        return singular, plural

    if place is None:
        return [joined(before, "")]
    after = [joined(before, words) for words in PLACE_WORDS[place]]
    return [*after, joined(f"{place} {before}", ""), joined(f"{before} {place}", "")]


def ordered(text: str) -> str:
    """The text with colors next to their nouns: "large red circles" as "red large circles"."""
    previous = ""
    while text != previous:
        previous, text = text, _ORDER.sub(r"\2 \1", text)
    return text
