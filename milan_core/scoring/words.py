"""Words in descriptions: tokens, plurals, and whether a description names a concept.

Matching is by whole words ("texture" is not "text", "surface" is not "face"), with English plurals;
the published code searched substrings (`src/milan` of the paper's repository).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_POSSESSIVE = re.compile(r"['’](?:s\b)?")
_CONSONANT_Y = re.compile(r"[^aeiou]y$")

IRREGULAR_PLURALS: dict[str, str] = {
    "calf": "calves",
    "child": "children",
    "die": "dice",
    "foot": "feet",
    "goose": "geese",
    "half": "halves",
    "knife": "knives",
    "leaf": "leaves",
    "life": "lives",
    "loaf": "loaves",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "scarf": "scarves",
    "shelf": "shelves",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}
COMPOUNDS = ("woman", "man", "person")
"""Ends of further words with an irregular plural: fireman, salesperson."""


def tokens(text: str) -> list[str]:
    """The lower-case words of `text`; punctuation, hyphens and possessive endings separate words.

    Letters of every script count, and accents do not: a text is the same in every way to write its
    letters.

    >>> tokens("The dog's brick-wall texture.")
    ['the', 'dog', 'brick', 'wall', 'texture']
    >>> tokens("A Café")
    ['a', 'cafe']
    """
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text.casefold())
        text = unicodedata.normalize("NFC", _ACCENT.sub("", apart))
    return _WORD.findall(_POSSESSIVE.sub(" ", text.lower()))


@lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    """`tokens`, remembered: scores ask for the same few thousand texts again and again."""
    return tuple(tokens(text))


@lru_cache(maxsize=65536)
def plurals(word: str) -> frozenset[str]:
    """The English plural spellings of a lower-case noun (the noun itself is not among them)."""
    forms = {word + "s"}
    if word.endswith(("s", "x", "z", "ch", "sh", "o")):
        forms.add(word + "es")
    if _CONSONANT_Y.search(word):
        forms.add(word[:-1] + "ies")
    if word in IRREGULAR_PLURALS:
        forms.add(IRREGULAR_PLURALS[word])
    for singular in COMPOUNDS:
        if word.endswith(singular):
            forms.add(word[: -len(singular)] + IRREGULAR_PLURALS[singular])
    return frozenset(forms)


@lru_cache(maxsize=2**18)
def same_word(left: str, right: str) -> bool:
    """Whether two lower-case words are equal or one is a plural of the other."""
    return left == right or left in plurals(right) or right in plurals(left)


def split_accept(cell: str) -> tuple[str, ...]:
    """The accepted words of a truth table's `accept` cell: separated by `;`, empty ones dropped."""
    return tuple(word.strip() for word in cell.split(";") if word.strip())


def phrase_spans(words: Sequence[str], phrase: str) -> list[tuple[int, int]]:
    """Find `phrase` in `words`: (start, end) of every occurrence.

    Its words must follow each other, each in the singular or the plural.
    """
    wanted = _words(phrase)
    width = len(wanted)
    if not width:
        return []
    starts = range(len(words) - width + 1)
    return [
        (start, start + width)
        for start in starts
        if all(map(same_word, words[start : start + width], wanted))
    ]


def names_concept(description: str, accept_words: Iterable[str]) -> bool:
    """Whether `description` contains one of `accept_words` as whole words.

    An accepted entry may be several words ("brick wall"): they must follow each other.
    Every word may stand in the singular or the plural.
    """
    return any(_names(description, entry) for entry in accept_words)


@lru_cache(maxsize=2**18)
def _names(description: str, entry: str) -> bool:
    wanted = _words(entry)
    if len(wanted) == 1:
        words, forms = _forms(description)
        return wanted[0] in forms or not words.isdisjoint(plurals(wanted[0]))
    return bool(phrase_spans(_words(description), entry))


@lru_cache(maxsize=65536)
def _forms(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words of a text, and these with their plurals."""
    words = frozenset(_words(text))
    return words, words.union(*map(plurals, words))
