"""The words that a search means, by the rule of the page (`app/search.js`).

A word of a query means itself, words that begin with it, and its singular. Only where an atlas has
none of these it means the nearest words with one wrong letter (from four letters) or two (from
eight), and words that begin with those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

WORD = re.compile(r"[^\W_]+")
NEAREST = 5  # words that a search without a result names
Item = TypeVar("Item")
Words = set[str]


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, in its order."""
    return WORD.findall(text.lower())


def meant(word: str, known: Iterable[str]) -> tuple[dict[str, float], list[str]]:
    """The known words that a word of a query means, with weights from 0 to 1.

    Returns:
        weights: of the known words; empty where none is meant.
        instead: the nearest known words where the word itself is not known, else empty.

    """
    known = list(known)
    weights = _spelled(word, known)
    if weights:
        return weights, []
    most = 2 if len(word) >= 8 else 1 if len(word) >= 4 else 0
    wrong = {one: distance(word, one, most) for one in known if abs(len(one) - len(word)) <= most}
    least = min(wrong.values(), default=most + 1)
    if not 0 < least <= most:
        return {}, []
    instead = sorted(one for one, letters in wrong.items() if letters == least)
    weight = 0.5 if least == 1 else 0.35
    for near in instead:
        for one, likeness in _spelled(near, known).items():
            weights[one] = max(weights.get(one, 0), weight * likeness)
    return weights, instead


def _spelled(word: str, known: Sequence[str]) -> dict[str, float]:
    singular = {word[:-1], word[:-2] if word.endswith("es") else word[:-1]}
    able = len(word) >= 4 and word.endswith("s")
    found = {}
    for one in known:
        if one.startswith(word):
            part = 0.6 + 0.3 * len(word) / len(one) if len(word) > 1 else 0.2
            found[one] = 1.0 if one == word else part
        elif able and one in singular:
            found[one] = 0.55
    return found


def nearest_words(word: str, known: Iterable[str], count: int = NEAREST) -> list[str]:
    """The known words with the fewest wrong letters, at most two of three, by the alphabet."""
    most = 2 * len(word) // 3
    near = (one for one in set(known) if one[0].isalpha() and abs(len(one) - len(word)) <= most)
    pairs = ((distance(word, one, most), one) for one in near)
    return [one for wrong, one in sorted(pairs) if wrong <= most][:count]


def distance(a: str, b: str, most: int) -> int:
    """Letters to add, drop, change or swap until two words are the same; above `most`: more."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i in range(1, len(a) + 1):
        row = [i]
        for j in range(1, len(b) + 1):
            value = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                value = min(value, before[j - 2] + 1)
            row.append(value)
        if min(row) > most:
            return most + 1
        before, above = above, row
    return above[-1]


class Lookup(Generic[Item]):
    """A search over items with texts of two kinds.

    Args:
        entries: (item, its own text, other texts of it).

    """

    def __init__(self, entries: Iterable[tuple[Item, str, str]]) -> None:
        self._entries = [
            (item, set(words_of(own)), set(words_of(other))) for item, own, other in entries
        ]
        self._known = {word for _, own, other in self._entries for word in own | other}

    def find(self, query: str) -> tuple[list[Item], str]:
        """The items that mean every word, those by their own text first, and a note.

        The note says what a word was taken for, or which word nothing matches; mostly it is empty.
        """
        asked = [(word, *meant(word, self._known)) for word in words_of(query)]
        lost = [word for word, weights, _ in asked if not weights]
        if lost or not asked:
            return [], "; ".join(map(self._nothing, lost))
        hits: list[tuple[bool, float, Item]] = []
        for item, own, other in self._entries:
            scores = [_score(weights, own, other) for _, weights, _ in asked]
            if all(scores):
                shown = all(weights.keys() & own for _, weights, _ in asked)
                hits.append((not shown, -sum(scores), item))
        hits.sort(key=lambda hit: hit[:2])
        took = [f"{' or '.join(near)} in place of {word}" for word, _, near in asked if near]
        return [item for _, _, item in hits], ", ".join(took)

    def _nothing(self, word: str) -> str:
        near = nearest_words(word, self._known)
        return f"nothing matches {word!r}" + (f", nearest words: {', '.join(near)}" if near else "")


def _score(weights: Mapping[str, float], own: Words, other: Words) -> float:
    """How well the texts of an item show what a word means; words of other texts count half."""
    shown = max((weights[word] for word in weights.keys() & own), default=0.0)
    return max(shown, max((weights[word] / 2 for word in weights.keys() & other), default=0.0))
