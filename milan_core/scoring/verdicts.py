"""One meaning each of "clearly", "agrees with the paper" and "does not confirm".

A difference is *clear* where its p, adjusted by Holm within its family of tests (the rows of one
table that answer one question), is below 0.05. The run *agrees with the paper* where every row of a
claim is clear and lies on the paper's side, *disagrees* where some row is clear and lies on the
other, and otherwise *does not confirm* it, which is no evidence against it: the smallest difference
that a test of the row alone, before adjustment, could have seen stands beside. What is clear after
adjustment has to be larger, the more so the more rows and the fewer values there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.core.numbers import percent
from milan_core.scoring.bootstrap import detectable

ALPHA = 0.05
FEWEST = 10
"""Of fewer units a share is given as a count, and a layer or tier has none."""
CLEARLY = (
    "“Clearly” means p below 0.05 after Holm's adjustment over all rows of one table that answer "
    "one question. What “would have been seen before adjustment” is found by a test of one row "
    "alone in 80 % of such samples; to be clear among several rows it has to be larger."
)


@dataclass(frozen=True)
class Difference:
    """A difference with its interval, its p, and the p adjusted within its family."""

    value: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    adjusted: float = math.nan

    @property
    def side(self) -> int:
        """1 clearly above zero, -1 clearly below, 0 neither; undefined ones are neither."""
        if math.isnan(self.adjusted) or self.adjusted >= ALPHA or self.value == 0:
            return 0
        return 1 if self.value > 0 else -1

    @property
    def seen(self) -> float:
        """The smallest difference that a test of this row alone could have seen.

        That is before adjustment; NaN without an interval.
        """
        return detectable(self.low, self.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment for several tests: float in [0, 1], same order; NaN ones do not count."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(p), math.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return [float(value) for value in adjusted]


def discoveries(p: np.ndarray, rate: float) -> np.ndarray:
    """Hypotheses that are rejected at a rate of false discoveries (Benjamini and Hochberg 1995).

    Those up to the largest k with p_(k) <= rate k / n.

    Args:
        p: float [n].
        rate: expected share of wrong ones among the rejected.

    Returns:
        bool [n].

    """
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / max(1, len(p)))
    rejected = np.zeros(len(p), bool)
    if len(below):
        rejected[order[: below[-1] + 1]] = True
    return rejected


def over_trials(p_values: Sequence[float]) -> float:
    """One p of several trials on the same units: twice their median, at most 1; NaN of none.

    Valid whatever the dependence of the trials (Meinshausen, Meier and Buehlmann 2009, JASA 104,
    equation 2.2 with gamma = 1/2). One trial keeps its own. A trial without p, in which no unit
    differs, counts as 1 beside others: it is no reason to believe the rest more.
    """
    if all(map(math.isnan, p_values)):
        return math.nan
    p = np.array([1.0 if math.isnan(one) else one for one in p_values])
    return float(p[0]) if len(p) == 1 else min(1.0, 2 * float(np.median(p)))


def p_text(p: float) -> str:
    """A p value in a sentence: "p 0.031", "p < 0.001", or "no p" where it is undefined."""
    if math.isnan(p):
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


def part_of(share: float, total: int) -> str:
    """A share of units in a sentence: "87%", and of one to nine units their count: "3"."""
    return f"{round(share * total, 1):g}" if 0 < total < FEWEST else percent(share)


def against_paper(sides: Sequence[int], papers: int = 1) -> str:
    """The verdict of rows on a claim whose differences lie on side `papers` (1 or -1)."""
    if sides and all(side == papers for side in sides):
        return "agrees with the paper"
    if any(side == -papers for side in sides):
        return "disagrees with the paper"
    return "does not confirm the paper"


def power_text(differences: Sequence[Difference], scale: float = 100, unit: str = "points") -> str:
    """The smallest differences that could have been seen in rows without a clear one.

    By a test of one row alone: `Difference.seen` knows no family.
    """
    seen = [one.seen for one in differences if one.side == 0 and not math.isnan(one.seen)]
    if not seen:
        return ""
    digits = 0 if scale == 100 else 3
    ends = list(dict.fromkeys(f"{scale * value:.{digits}f}" for value in (min(seen), max(seen))))
    return (
        f"there only a difference of {' to '.join(ends)} {unit} or more would have been seen "
        "before adjustment"
    )
