"""Explanations, and the scores of one unit: a row of scores.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.referee.resampling import UNDEFINED, Interval

Status = Literal[
    "scored",
    "abstained",
    "failed",
    "dead",
    "constant",
    "unread",
    "own judge",
    "missing",
    "unknown unit",
]
"""Why a unit has scores, or none:

scored        it has them
abstained     the describer gave no text
failed        the describer did not answer
dead          the unit's activation is (nearly) constant, or non-zero in under 1e-4 of the images
constant      the text is judged equally present in all images: correlation 0, lift 0
unread        the judge cannot read the text
own judge     the describer reads the judge's model, which would mark its own work
missing       the descriptions leave the unit out
unknown unit  the table of activations does not have it
"""

COUNTED = ("scored", "constant")
"""Statuses with headline scores."""

HEADLINE_COLUMNS = (
    *("correlation", "correlation_low", "correlation_high"),
    *("auprc", "auprc_low", "auprc_high"),
)
COLUMNS = ("layer", "unit", "description", "status", *HEADLINE_COLUMNS)
"""First columns of scores.csv; those of `Scored.others` follow, by name."""


@dataclass(frozen=True)
class Explanation:
    """The explanation of one unit: one text, or several with weights (S8).

    Attributes:
        key: (layer, unit).
        texts: nothing where the describer abstained.
        weights: one a text; empty: the text alone, or equal weights.
        failed: no answer came.

    """

    key: UnitKey
    texts: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    failed: bool = False

    @property
    def description(self) -> str:
        """The texts as one, for tables."""
        if not self.weights:
            return "; ".join(self.texts)
        pairs = zip(self.weights, self.texts, strict=True)
        return "; ".join(f"{weight:+.3g} {text}" for weight, text in pairs)


@dataclass(frozen=True)
class Scored:
    """The scores of one unit's description on held-out images; NaN where there is none.

    Attributes:
        key: (layer, unit).
        description: for people.
        status: why there are scores or none; counts of all statuses add up to the units.
        correlation: of the pooled activation with the judged presence (S1).
        auprc: lift of the average precision (S3); 0 is chance, 1 perfect.
        others: further scores by name (`metrics.METRICS`), printed for comparison only.

    """

    key: UnitKey
    description: str
    status: Status
    correlation: Interval = UNDEFINED
    auprc: Interval = UNDEFINED
    others: Mapping[str, float] = field(default_factory=dict)

    def cells(self, others: tuple[str, ...] = ()) -> list[str | float | int]:
        """The row of scores.csv: COLUMNS, then `others` in this order."""
        headline = [
            part
            for score in (self.correlation, self.auprc)
            for part in (score.value, score.low, score.high)
        ]
        further = [self.others.get(name, float("nan")) for name in others]
        return [*self.key, self.description, self.status, *map(rounded, headline + further)]


def rounded(value: float) -> float | str:
    """A score as a table cell, six decimals: beyond them lies the rounding of sums by blocks."""
    return cell(round(float(value), 6) + 0.0)
