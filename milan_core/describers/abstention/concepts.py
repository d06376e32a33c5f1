"""Reduce a text to its concept's words, so that two texts can be of one concept or of two.

>>> sorted(concept_words("Animals, mostly yellow cats"))
['animal', 'cat']
>>> sorted(concept_words("Yellow areas"))
['yellow']
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from milan_core.scoring.words import COMPOUNDS, IRREGULAR_PLURALS, plurals, tokens

SINGULAR = {plural: singular for singular, plural in IRREGULAR_PLURALS.items()}
JOINING = frozenset(
    tokens(
        "a an the and or not no with without of in on at to from for by as is are be it its "
        "that this these those such like up but some other others mostly many more most all "
        "any both just only very around under over beside behind near above below between "
        "within inside outside which their there around"
    )
)
GENERAL = frozenset(
    tokens(
        "thing object item area part image picture photo photograph scene something anything "
        "place region various several different certain kind type group piece shape color "
        "colour colorful colourful view section center centre side edge top bottom background"
    )
)
COLORS = frozenset(
    tokens(
        "red orange yellow green blue purple violet pink brown black white gray grey beige "
        "tan gold silver dark light bright pale"
    )
)


def singular(word: str) -> str:
    """The singular of a lower-case English noun, by its spelling.

    >>> [singular(word) for word in ("cats", "berries", "boxes", "people", "grass", "bus")]
    ['cat', 'berry', 'box', 'person', 'grass', 'bus']
    """
    if word in SINGULAR:
        return SINGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word.removesuffix("s")


@lru_cache(maxsize=65536)
def concept_words(text: str) -> frozenset[str]:
    """The words that say what a text is about, each in the singular.

    Words that join others and words that fit everything (`things`, `areas`) are left out, colors
    only where another word is left. Empty where nothing is left.
    """
    return frozenset(_of_concept(text).values())


def _of_concept(text: str) -> dict[str, str]:
    """The singular of every word, as it stands, that says what a text is about."""
    words = {word: singular(word) for word in tokens(text)}
    words = {word: one for word, one in words.items() if one not in JOINING | GENERAL}
    return {word: one for word, one in words.items() if one not in COLORS} or words


@lru_cache(maxsize=65536)
def _readings(text: str) -> frozenset[str]:
    """The words of a text's concept, as they stand and in every singular they may be of.

    A spelling alone does not tell "cookies" of a cookie from "cherries" of a cherry.
    """
    found: set[str] = set()
    for word, one in _of_concept(text).items():
        near = [word.removesuffix(IRREGULAR_PLURALS[end]) + end for end in COMPOUNDS]
        if one != word:
            near += [word[:-1], word[:-2], word[:-3] + "y"]
        found |= {word, one, *(other for other in near if word in plurals(other))}
    return frozenset(found)


def same_concept(one: str, other: str) -> bool:
    """Whether two texts share a word that says what they are about, in singular or plural."""
    return not _readings(one).isdisjoint(_readings(other))


def agreement(text: str, others: Iterable[str]) -> float:
    """The share of other texts of the same unit that are of the concept of `text`.

    Empty texts do not count; 0 where none is left.
    """
    there = [other for other in others if other.strip()]
    return sum(same_concept(text, other) for other in there) / len(there) if there else 0.0
