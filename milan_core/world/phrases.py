"""Nouns, colors and places for the pixels under the masks of a unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.world.concepts import ConceptTable
from milan_core.world.lexicon import Entry
from milan_core.world.truth import Verdict

USUAL = 0.6  # chance of the usual word where there are synonyms
PLURAL = 0.75
CLEAR_COLOUR = 0.5  # share of a concept's pixels from which its color is named
PLACE = 0.1  # share of the masked pixels from which a surface is named as the place


def with_article(noun: str) -> str:
    """`a dog`, `an owl`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True, eq=False)
class View:
    """The pixels that an annotator saw of a unit, and the concept to describe."""

    table: ConceptTable
    counts: np.ndarray  # int64 [s, L, K] of the exemplars shown to the annotator
    edge_share: float  # of the masked pixels
    verdict: Verdict
    target: int  # concept to describe
    rng: np.random.Generator

    @property
    def tier(self) -> str:
        """Tier of the concept to describe."""
        return self.table.concepts[self.target].tier

    def entry(self, concept: int) -> Entry:
        """The lexicon's entry of a concept."""
        return self.table.lexicon.entry(self.table.concepts[concept].name)

    def pick(self, *options: str) -> str:
        """One of the options, drawn uniformly."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def _pair(self, concept: int) -> tuple[str, str]:
        words = self.entry(concept).words
        if len(words) == 1 or self.chance(USUAL):
            return words[0]
        return words[int(self.rng.integers(1, len(words)))]

    def plural(self, concept: int) -> str:
        """A plural word for the concept."""
        return self._pair(concept)[1]

    def noun(self, concept: int) -> str:
        """A word for the concept: mostly a plural, else `a ...`."""
        singular, plural = self._pair(concept)
        if singular == plural or self.chance(PLURAL):
            return plural
        return with_article(singular)

    def coloured(self, concept: int, noun: str) -> str:
        """The noun with the color of the concept's pixels, where one color is clear."""
        members = self.table.parents[:, concept].astype(bool)
        colour = self._clear(self.counts[:, members].sum((0, 1)))
        return f"{colour} {noun}" if colour else noun

    def colour(self) -> str:
        """The color of most masked pixels, or an empty string."""
        return self._clear(self.counts.sum((0, 1)))

    def _clear(self, pixels: np.ndarray) -> str:
        total = pixels.sum()
        if total == 0 or pixels.max() < CLEAR_COLOUR * total:
            return ""
        return self.table.lexicon.colours[int(pixels.argmax())]

    def leading(self, tier: str, count: int, least: float, within: int | None = None) -> list[int]:
        """The `count` concepts of a tier with the largest coverage of at least `least`.

        `within` restricts them to members of a super-class or kind.
        """
        coverage = self.verdict.coverage
        concepts = [
            i
            for i, concept in enumerate(self.table.concepts[: self.table.leaves])
            if concept.tier == tier and coverage[i] >= max(least, 1e-9)
            if within is None or self.table.parents[i, within]
        ]
        return sorted(concepts, key=lambda i: -coverage[i])[:count]

    def place(self) -> str:
        """The surface with the largest coverage beside the target, or an empty string."""
        surfaces = [i for i in self.leading("surface", 2, PLACE) if i != self.target]
        return self.plural(surfaces[0]) if surfaces else ""

    def group(self) -> str:
        """The super-class of the target object, plural."""
        group = self.table.lexicon.groups[self.entry(self.target).group]
        return group.plural
