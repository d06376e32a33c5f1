"""Read a text by the lexicon: the concepts of a world that it names, and how it joins them.

    reader = Reader(load_lexicon("stickers"))
    reader.read("brown dogs on grass")     # all of (brown dog, grass)
    reader.read("animals, mostly foxes")   # mean of (animal, fox)

Texts that name nothing of the world are not read. "Dogs and cats" means scenes with either, as the
annotators write it; "both dogs and cats" means scenes with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Union

from milan_core.scoring.words import plurals, same_word, tokens
from milan_core.world.lexicon import Lexicon

SPELLINGS = {"gray": "grey"}  # of colors
PLACES = ("with", "around", "on", "beside", "under", "near")
SHARES = ("mostly", "such", "other")
ENDS = frozenset({"area", "areas", "and", "or", "up", "but", *PLACES})
Item = Union["Leaf", str]


@dataclass(frozen=True)
class Leaf:
    """Pixels of one concept, of one color, or of both; at least one of them is given."""

    color: str | None
    concept: str | None


@dataclass(frozen=True)
class Joined:
    """Several requests of one text. `not` has one part, the others at least two."""

    how: Literal["any", "all", "mean", "not"]
    parts: tuple[Formula, ...]


Formula = Leaf | Joined


def leaves_of(formula: Formula | None) -> list[Leaf]:
    """The leaves of a formula in the order of the text."""
    if formula is None:
        return []
    if isinstance(formula, Leaf):
        return [formula]
    return [leaf for part in formula.parts for leaf in leaves_of(part)]


class Reader:
    """Reads texts by the words of a lexicon; a text that was read once is remembered."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._colors = {**{name: name for name in lexicon.colours}}
        self._colors |= {new: old for new, old in SPELLINGS.items() if old in self._colors}
        names = [*lexicon.objects, *lexicon.surfaces, *lexicon.common, *lexicon.groups]
        self._starts: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            for phrase in lexicon.accepted(name):
                words = tuple(tokens(phrase))
                for form in {words[0], *plurals(words[0])}:
                    self._starts.setdefault(form, []).append((words, name))
        for phrases in self._starts.values():
            phrases.sort(key=lambda item: (-len(item[0]), item[0]))
        self._known: dict[str, Formula | None] = {}

    def read(self, text: str) -> Formula | None:
        """The formula of a text; None where it names nothing of this world."""
        if text not in self._known:
            self._known[text] = _sentence(self._items(tokens(text)))
        return self._known[text]

    def _items(self, words: list[str]) -> list[Item]:
        """The words, with colors and the nouns that they belong to as leaves."""
        items: list[Item] = []
        color: str | None = None
        place = 0
        while place < len(words):
            word = words[place]
            if word in self._colors or (color and word in ENDS):
                if color:
                    items.append(Leaf(color, None))
                color = self._colors.get(word)
                if color is None:
                    items.append(word)
                place += 1
            elif (noun := self._noun(words, place)) is not None:
                items.append(Leaf(color, noun[1]))
                color, place = None, place + noun[0]
            else:
                items.append(word)
                place += 1
        return [*items, Leaf(color, None)] if color else items

    def _noun(self, words: Sequence[str], place: int) -> tuple[int, str] | None:
        """The longest phrase of a concept that begins here: its number of words, and the name."""
        starts = dict.fromkeys([words[place], *sorted(plurals(words[place]))])
        best: tuple[int, str] | None = None
        for start in starts:
            for phrase, name in self._starts.get(start, ()):
                end = place + len(phrase)
                fits = end <= len(words) and all(map(same_word, words[place:end], phrase))
                if fits and (best is None or len(phrase) > best[0]):
                    best = len(phrase), name
        return best


def _sentence(items: Sequence[Item]) -> Formula | None:
    for word in ("without", "not", "no"):
        if word in items:
            before, after = _split(items, word)
            denied = _phrase(after)
            if denied is not None:
                return _join("all", [_sentence(before), Joined("not", (denied,))])
    for word in PLACES:
        if word in items:
            before, after = _split(items, word)
            if word == "on" and not _named(before) and len(_named(after)) > 1:
                place, *things = _named(after)  # "on grass: dogs"
                return _join("all", [place, _join("any", things)])
            if _named(before) and _named(after):
                return _join("all", [_phrase(before), _phrase(after)])
    return _phrase(items)


def _phrase(items: Sequence[Item]) -> Formula | None:
    for word in SHARES:
        if word in items:
            parts = [_join("any", _named(part)) for part in _split(items, word)]
            if all(parts):
                return _join("mean", parts)
    return _join("all" if "both" in items else "any", _named(items))


def _named(items: Sequence[Item]) -> list[Formula | None]:
    return [item for item in items if isinstance(item, Leaf)]


def _split(items: Sequence[Item], word: str) -> tuple[Sequence[Item], Sequence[Item]]:
    place = list(items).index(word)
    return items[:place], items[place + 1 :]


def _join(how: Literal["any", "all", "mean"], parts: Sequence[Formula | None]) -> Formula | None:
    """The parts that were read, joined; equal ones count once, a single one stands alone."""
    there = tuple(dict.fromkeys(part for part in parts if part is not None))
    if len(there) > 1:
        return Joined(how, there)
    return there[0] if there else None
