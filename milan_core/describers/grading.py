"""Grades of words for units: shown (A), a tendency (B), or no reliable description (C).

A word is taken for a unit by the correlation of the unit's largest activation in each image with
the word's evidence. It is **A** when the correlation is significant and the unit's strongest images
show the word: at least half of them, at twice the word's share of all images or more. It is **B**
when only the correlation is significant. Significance is of the activation without the layer's
common gain: units of any network, random ones too, respond together to contrast and texture.

A unit that gets no word by its largest activation may get one by the sum of its standardized
largest and mean activation, but no attribute of pixels: colors and texture are what the means of
random networks follow.

Nothing is described in a layer whose units repeat a few common signals, as those of untrained
networks do, whatever their architecture (`effective_dimensions`): on photographs their units follow
brightness and color with correlations of .5 that hold on other photographs, and mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from milan_core.referee.photographs.evidence import Evidence
from milan_core.scoring.verdicts import discoveries

STRONGEST = 15  # images that must show the word
SMOOTH = 0.02  # added to shares before their ratio
SPECIFIC, MOSTLY, RARER = 0.8, 0.6, 1.3
APART, SECOND = 0.3, 0.6
DIMENSIONS, SHARE_OF_UNITS = 20, 1 / 3  # effective ones of a layer that is described

Grade = Literal["A", "B", "C"]


@dataclass(frozen=True)
class GradingRule:
    """The limits of the grades.

    Attributes:
        share: of the strongest images that show an A word.
        lift: of that share over the word's share of all images.
        rate: false discoveries among a layer's units (Benjamini-Hochberg).

    """

    share: float
    lift: float
    rate: float


@dataclass(frozen=True)
class Graded:
    """The word of one unit.

    Attributes:
        grade: A, B or C.
        text: the description of an A unit; empty for others.
        word: the word of an A or B unit; empty for C.
        correlation: of the activation with the word's evidence; for B without the common gain.
        share: of the strongest images that show the word.
        base: share of all images that do.

    """

    grade: Grade
    text: str
    word: str
    correlation: float
    share: float
    base: float


def standardized(values: np.ndarray) -> np.ndarray:
    """float64, each column with mean 0 and deviation 1; constant columns are 0."""
    centered = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    deviation = centered.std(0)
    return np.where(deviation > 1e-9, centered / np.maximum(deviation, 1e-9), 0)


def without_gain(activations: np.ndarray) -> np.ndarray:
    """float64 [n, U]: standardized activations less their regression on the units' mean.

    A unit alone has nothing in common with others.
    """
    scaled = standardized(activations)
    if scaled.shape[1] < 2:
        return scaled
    gain = standardized(scaled.mean(1, keepdims=True))
    return scaled - gain * (scaled * gain).mean(0)


def effective_dimensions(activations: np.ndarray) -> float:
    """Participation ratio of the variances of standardized activations [n, U] (1 to U).

    The squared sum of the eigenvalues of their correlations over the sum of squares: how many
    signals of equal strength the units would share out.
    """
    scaled = standardized(activations)
    shorter = scaled @ scaled.T if len(scaled) < scaled.shape[1] else scaled.T @ scaled
    total = np.trace(shorter)
    return float(total**2 / (shorter**2).sum()) if total > 0 else 0.0


def p_values(correlations: np.ndarray, images: int) -> np.ndarray:
    """One-sided p of Pearson correlations over independent images (Student's t)."""
    from scipy.stats import t

    bounded = np.clip(correlations, -1 + 1e-12, 1 - 1e-12)
    return t.sf(bounded * np.sqrt((images - 2) / (1 - bounded**2)), images - 2)


def grade_layer(
    maxima: np.ndarray, evidence: Evidence, rule: GradingRule, means: np.ndarray | None = None
) -> list[Graded]:
    """The grades of the units of one layer.

    Args:
        maxima: float [U, n], the largest activation of every unit in every image.
        evidence: of the same n images; words that no image shows are left out.
        rule: the limits.
        means: float [U, n], the mean activations; None: none are looked at.

    """
    graded = _graded(maxima.T, evidence, rule)
    if means is None:
        return graded
    whole = _graded(standardized(maxima.T) + standardized(means.T), evidence, rule)
    attributes = {word.text for word in evidence.words if word.kind == "attribute"}
    return [
        second if first.grade != "A" == second.grade and second.word not in attributes else first
        for first, second in zip(graded, whole, strict=True)
    ]


def _graded(activations: np.ndarray, evidence: Evidence, rule: GradingRule) -> list[Graded]:
    layer = _Layer(activations, evidence, rule)
    return [layer.graded(unit) for unit in range(activations.shape[1])]


class _Layer:
    """Correlations, shares and grades of one layer's units [U] and words [W]."""

    def __init__(self, activations: np.ndarray, evidence: Evidence, rule: GradingRule) -> None:
        usable = np.flatnonzero(evidence.usable())
        self.words = [evidence.words[place] for place in usable]
        columns = standardized(evidence.columns[:, usable])
        presence = evidence.presence()[:, usable]
        images = len(columns)
        self.raw = standardized(activations).T @ columns / images
        self.clean = standardized(without_gain(activations)).T @ columns / images
        strongest = np.argsort(-activations, axis=0, kind="stable")[:STRONGEST]
        self.share = presence[strongest].mean(0)
        self.base = presence.mean(0)
        self.lift = (self.share + SMOOTH) / (self.base + SMOOTH)
        self.alike = columns.T @ columns / images
        p = np.minimum(1, len(self.words) * p_values(self.clean, images))  # Bonferroni over words
        self.shown = (self.share >= rule.share) & (self.lift >= rule.lift)
        fewest = min(DIMENSIONS, SHARE_OF_UNITS * len(self.raw))
        self.shown &= effective_dimensions(activations) >= fewest
        rows = np.arange(len(self.raw))
        self.first = np.where(self.shown, self.raw, -np.inf).argmax(1)
        supported = self.shown[rows, self.first]
        self.described = supported & discoveries(
            np.where(supported, p[rows, self.first], 1.0), rule.rate
        )
        self.tendency = self.clean.argmax(1)
        self.tends = discoveries(p[rows, self.tendency], rule.rate) & ~self.described

    def graded(self, unit: int) -> Graded:
        """The grade of one unit."""
        if self.described[unit]:
            word = int(self.first[unit])
            return self._of(unit, word, "A", self.raw, self._text(unit, word))
        if self.tends[unit]:
            return self._of(unit, int(self.tendency[unit]), "B", self.clean, "")
        return Graded("C", "", "", float(self.clean[unit].max()), 0.0, 0.0)

    def _of(self, unit: int, word: int, grade: Grade, table: np.ndarray, text: str) -> Graded:
        return Graded(
            *(grade, text, self.words[word].text, float(table[unit, word])),
            *(float(self.share[unit, word]), float(self.base[word])),
        )

    def _text(self, unit: int, word: int) -> str:
        """The word, or a narrower one that most of the images show, and a second if it adds."""
        text = self._narrowed(unit, word)
        seconds = [
            other
            for other in np.flatnonzero(self.shown[unit])
            if other != word
            and self.raw[unit, other] >= SECOND * self.raw[unit, word]
            and abs(self.alike[other, word]) < APART
        ]
        if self.words[word].kind == "attribute" and not text.endswith("lines"):
            text = f"{text} areas"
        if not seconds:
            return text
        second = self.words[max(seconds, key=lambda place: (self.raw[unit, place], -place))]
        joint = ", " if second.kind == "attribute" else " and "
        return f"{text}{joint}{second.text}"

    def _narrowed(self, unit: int, word: int) -> str:
        whole = self.words[word]
        parts = [
            place
            for place, other in enumerate(self.words)
            if other.classes
            and other.classes < whole.classes
            and self.share[unit, place] >= MOSTLY * self.share[unit, word]
            and self.lift[unit, place] >= RARER * self.lift[unit, word]
            and self.clean[unit, place] > 0
        ]
        if not parts:
            return whole.text
        part = max(parts, key=lambda place: (self.clean[unit, place], -place))
        if self.share[unit, part] >= SPECIFIC * self.share[unit, word]:
            return self.words[part].text
        return f"{whole.text}, mostly {self.words[part].text}"


def tendency_text(graded: Graded) -> str:
    """The text of a B unit in a table."""
    return f"weak: more often with {graded.word}, r {graded.correlation:.2f}"


def counts(rows: Sequence[Graded]) -> dict[Grade, int]:
    """Units of each grade."""
    grades: tuple[Grade, ...] = ("A", "B", "C")
    return {grade: sum(row.grade == grade for row in rows) for grade in grades}
