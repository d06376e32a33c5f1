"""Reduce a text to its concept's words, so that two texts can be of one concept or of two.

>>> sorted(concept_words("Animals, mostly yellow cats"))
['animal', 'cat']
>>> sorted(concept_words("Yellow areas"))
['yellow']
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from milan_core.scoring.words import IRREGULAR_PLURALS, tokens

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
    words = {singular(word) for word in tokens(text)} - JOINING - GENERAL
    return frozenset(words - COLORS or words)


def same_concept(one: str, other: str) -> bool:
    """Whether two texts share a word that says what they are about."""
    return not concept_words(one).isdisjoint(concept_words(other))


def agreement(text: str, others: Iterable[str]) -> float:
    """The share of other texts of the same unit that are of the concept of `text`.

    Empty texts do not count; 0 where none is left.
    """
    there = [other for other in others if other.strip()]
    return sum(same_concept(text, other) for other in there) / len(there) if there else 0.0
