"""Scores beside concept accuracy: wrong concepts named, and how scores tell right from wrong.

Concept accuracy is recall: a longer description can only win. Its counterpart counts the concepts
that a description names and the unit does not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from milan_core.scoring.tables import Truth
from milan_core.scoring.words import phrase_spans, tokens


class FalseNames:
    """Counts names of other concepts in descriptions; `truth` gives all concepts of the world."""

    def __init__(self, truth: Iterable[Truth]) -> None:
        self._phrases = sorted({word for entry in truth if entry.specific for word in entry.accept})
        self._spans: dict[str, dict[str, list[tuple[int, int]]]] = {}

    def count(self, text: str, truth: Truth) -> int:
        """Accepted names of other concepts in `text`.

        A name inside a longer one is part of it ("brick" in "brick wall"), also inside a name of
        the unit's own concept. Singular and plural are one name.
        """
        spans = self._named(text)
        every = {span for places in spans.values() for span in places}
        right = {span for word in truth.accept for span in spans.get(word, ())}
        others = (
            tuple(span for span in places if span not in right and not _inside(span, every))
            for word, places in spans.items()
            if word not in truth.accept
        )
        return len({places for places in others if places})

    def counts(self, texts: Sequence[str], truth: Sequence[Truth]) -> np.ndarray:
        """`count` of every unit, NaN for unspecific ones: float64 [units]."""
        return np.array(
            [
                float(self.count(text, entry)) if entry.specific else math.nan
                for text, entry in zip(texts, truth, strict=True)
            ]
        )

    def _named(self, text: str) -> dict[str, list[tuple[int, int]]]:
        if text not in self._spans:
            words = tokens(text)
            found = {phrase: phrase_spans(words, phrase) for phrase in self._phrases}
            self._spans[text] = {phrase: places for phrase, places in found.items() if places}
        return self._spans[text]


def _inside(span: tuple[int, int], spans: Iterable[tuple[int, int]]) -> bool:
    """True where a longer one of `spans` covers `span`."""
    return any(a <= span[0] and span[1] <= b and (a, b) != span for a, b in spans)


def separation(values: np.ndarray, correct: np.ndarray) -> float:
    """Share of (right, wrong) pairs of descriptions that a score orders rightly, ties half: AUC.

    `values` and `correct` (1, 0, NaN: not judged) have one shape. 0.5 is chance; NaN where all
    judged descriptions are right, or all wrong.
    """
    right, wrong = values[correct == 1].ravel(), values[correct == 0].ravel()
    if not len(right) or not len(wrong):
        return math.nan
    below = np.searchsorted(np.sort(wrong), right, "left").sum()
    upto = np.searchsorted(np.sort(wrong), right, "right").sum()
    return float((below + upto) / 2 / (len(right) * len(wrong)))
