"""Scores of units by their descriptions: word classes, structure, queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.captioner.vocabulary import tokenize
from milan_core.experiments.analyze.grammar import Parser
from milan_core.scoring.vectors import WordVectors, max_word_difference
from milan_core.scoring.words import names_concept

WORD_CLASSES = {"nouns": "NOUN", "verbs": "VERB", "adjectives": "ADJ", "adpositions": "ADP"}
SYNTACTIC, STRUCTURAL, QUERY = "syntactic", "structural", "query"
TOP_SHARE = 0.2  # structural criteria: the share of units of a network that match


@dataclass(frozen=True)
class Criterion:
    """A score for every unit of a network; larger ones are ablated first."""

    name: str
    group: str
    scores: np.ndarray  # float64 (units,)

    @property
    def varies(self) -> bool:
        """Whether it tells any two units apart; otherwise its orders are random ones."""
        return bool(np.ptp(self.scores) > 0)

    @property
    def matching(self) -> np.ndarray:
        """Bool (units,): a count of one or more, or for structural criteria the top fifth.

        Where the fifth ends among equal scores, all of these or none are in, whichever comes
        closer to a fifth.
        """
        if self.group != STRUCTURAL:
            return self.scores >= 1
        levels = np.unique(self.scores)[1:]  # the lowest score never matches
        shares = np.array([(self.scores >= level).mean() for level in levels])
        if not len(levels):
            return np.zeros(len(self.scores), dtype=bool)
        return self.scores >= levels[np.argmin(np.abs(shares - TOP_SHARE))]


def criteria(
    descriptions: Sequence[str],
    parser: Parser | None,
    vectors: WordVectors | None,
    queries: Mapping[str, Sequence[str]],
) -> list[Criterion]:
    """All criteria that the given tools allow.

    Without `parser` word classes and parse depth are left out, without `vectors` the difference of
    words. A query scores 1 where the description has one of its words, as whole words with plurals.
    """
    scored: list[Criterion] = []
    tokens: list[Sequence[str]] = [tokenize(text) for text in descriptions]
    if parser is not None:
        parses = parser.parse(descriptions)
        tokens = [parse.tokens for parse in parses]
        for name, word_class in WORD_CLASSES.items():
            counts = [parse.count(word_class) for parse in parses]
            scored.append(Criterion(name, SYNTACTIC, _array(counts)))
    scored.append(Criterion("length", STRUCTURAL, _array([len(words) for words in tokens])))
    if parser is not None:
        depths = [parse.depth for parse in parses]
        scored.append(Criterion("parse-depth", STRUCTURAL, _array(depths)))
    if vectors is not None:
        differences = [max_word_difference(vectors.of(words)) if words else 0.0 for words in tokens]
        scored.append(Criterion("word-difference", STRUCTURAL, _array(differences)))
    for name, words in queries.items():
        hits = [names_concept(text, words) for text in descriptions]
        scored.append(Criterion(name, QUERY, _array(hits)))
    return scored


def _array(values: Sequence[float]) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
