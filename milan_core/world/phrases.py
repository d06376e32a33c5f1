"""Words for what an annotator saw: nouns, colours and places, all from pixels under the masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.world.concepts import ConceptTable
from milan_core.world.lexicon import Entry
from milan_core.world.truth import Verdict

USUAL = 0.6  # chance of the usual word when there are synonyms
PLURAL = 0.75
CLEAR_COLOUR = 0.5  # share of a concept's pixels
PLACE = 0.1  # share of the masked pixels on a surface for it to be mentioned


def with_article(noun: str) -> str:
    """`a dog`, `an owl`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True, eq=False)
class View:
    """What one annotator saw of a unit, and the concept it chose to write about."""

    table: ConceptTable
    counts: np.ndarray  # int64 [s, L, K] of the exemplars it was shown
    edge_share: float  # of the masked pixels
    verdict: Verdict
    target: int  # concept written about
    rng: np.random.Generator

    @property
    def tier(self) -> str:
        """Tier of the concept written about."""
        return self.table.concepts[self.target].tier

    def entry(self, concept: int) -> Entry:
        """The lexicon's entry of a concept."""
        return self.table.lexicon.entry(self.table.concepts[concept].name)

    def pick(self, *options: str) -> str:
        """One of the options, each as likely."""
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
        """A word for the concept, in the plural."""
        return self._pair(concept)[1]

    def noun(self, concept: int) -> str:
        """A word for the concept: mostly plural, sometimes `a ...`."""
        singular, plural = self._pair(concept)
        if singular == plural or self.chance(PLURAL):
            return plural
        return with_article(singular)

    def coloured(self, concept: int, noun: str) -> str:
        """The noun with the colour of the concept's pixels, when one colour is clear."""
        members = self.table.parents[:, concept].astype(bool)
        colour = self._clear(self.counts[:, members].sum((0, 1)))
        return f"{colour} {noun}" if colour else noun

    def colour(self) -> str:
        """The colour of most masked pixels, or an empty string."""
        return self._clear(self.counts.sum((0, 1)))

    def _clear(self, pixels: np.ndarray) -> str:
        total = pixels.sum()
        if total == 0 or pixels.max() < CLEAR_COLOUR * total:
            return ""
        return self.table.lexicon.colours[int(pixels.argmax())]

    def leading(self, tier: str, count: int, least: float, within: int | None = None) -> list[int]:
        """The concepts of a tier that cover most, each at least `least`, best first.

        `within` restricts them to members of a super-class or kind.
        """
        coverage = self.verdict.coverage
        found = [
            i
            for i, concept in enumerate(self.table.concepts[: self.table.leaves])
            if concept.tier == tier and coverage[i] >= max(least, 1e-9)
            if within is None or self.table.parents[i, within]
        ]
        return sorted(found, key=lambda i: -coverage[i])[:count]

    def place(self) -> str:
        """The surface that shows most beside the target, or an empty string."""
        found = [i for i in self.leading("surface", 2, PLACE) if i != self.target]
        return self.plural(found[0]) if found else ""

    def group(self) -> str:
        """The super-class of the target object, plural."""
        group = self.table.lexicon.groups[self.entry(self.target).group]
        return group.plural
