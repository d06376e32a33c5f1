"""A small spelling corrector over a word list of the user's: the most frequent near word."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.files import read_text
from milan_core.core.numbers import is_whole

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST = 3  # letters; shorter words have too many neighbors


class FrequencySpeller:
    """Replaces an unknown word by the most frequent known one at edit distance 1, else 2.

    An edit inserts, deletes, replaces or swaps letters; among equally frequent words the first in
    the alphabet wins. Words without any near known word stay.
    """

    def __init__(self, counts: Mapping[str, int], distance: int = 2) -> None:
        if not counts:
            msg = "the word list is empty; give one word and its count a line"
            raise UserError(msg)
        self._counts = dict(counts)
        self._lengths = {len(word) for word in counts}
        self._distance = distance
        self._cached = functools.cache(self._correct)

    @classmethod
    def load(cls, path: Path | str, distance: int = 2) -> FrequencySpeller:
        """Read lines `word count`; without a count, every word counts the same."""
        counts: dict[str, int] = {}
        for number, line in enumerate(read_text(path, "word list").splitlines(), 1):
            parts = line.split()
            if not parts:
                continue
            if len(parts) > 2 or not (len(parts) == 1 or is_whole(parts[1])):
                msg = f"{path}, line {number}: expected `word count`, got {line!r}"
                raise UserError(msg)
            word = parts[0].lower()
            counts[word] = counts.get(word, 0) + (int(parts[1]) if len(parts) == 2 else 1)
        return cls(counts, distance)

    def correct(self, word: str) -> str:
        """The best known word; `word` itself when it is known, short, or far from all."""
        if word in self._counts or len(word) < SHORTEST:
            return word
        return self._cached(word)

    def _correct(self, word: str) -> str:
        if not any(abs(len(word) - length) <= self._distance for length in self._lengths):
            return word  # the texts near it would be 54 for each letter, and 54 for each of theirs
        near = set(_edits(word))
        if found := near & self._counts.keys():
            return self._best(found)
        if self._distance > 1:
            far = {other for one in near for other in _edits(one) if other in self._counts}
            if far:
                return self._best(far)
        return word

    def _best(self, words: set[str]) -> str:
        return min(words, key=lambda word: (-self._counts[word], word))


def _edits(word: str) -> Iterator[str]:
    """Every text one edit away, some more than once."""
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in LETTERS)
