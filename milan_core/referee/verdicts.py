"""Correlations of units with a model's verdicts on their texts, from few images each (S2).

A cheap judge says which images matter; the costly one is asked about those only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.referee.importance import IMAGES
from milan_core.referee.judge import Judge, JudgedImages
from milan_core.referee.judges.verdict import Estimated, estimated
from milan_core.referee.judges.verdict import Judge as VerdictJudge
from milan_core.referee.submitted import Submitted
from milan_core.referee.table import dead_units

VerdictStatus = Literal[
    "scored", "no verdicts", "unread by the cheap judge", "dead", "abstained", "unknown unit"
]
COLUMNS = (
    *("layer", "unit", "description", "status", "correlation", "low", "high"),
    *("asked", "unanswered"),
)
DIGITS = 6
FEWEST = 10  # draws from which an interval says something


@dataclass(frozen=True)
class Verdict:
    """One text of one unit.

    Attributes:
        key: (layer, unit).
        text: the description; empty for an abstention.
        status: `no verdicts` where the model answered about too few images, or the same about all.
        estimate: the correlation; None without a score.

    """

    key: UnitKey
    text: str
    status: VerdictStatus
    estimate: Estimated | None = None

    def cells(self) -> list[str | int]:
        """A row of verdicts.csv."""
        row: list[str | int] = [*self.key, self.text, self.status]
        if self.estimate is None:
            return [*row, "", "", "", "", ""]
        value = self.estimate.correlation
        numbers = [
            "" if np.isnan(x) else f"{x:.{DIGITS}g}" for x in (value.value, value.low, value.high)
        ]
        return [*row, *numbers, self.estimate.asked, self.estimate.unanswered]


def verdicts(
    table: ActivationTable,
    positions: np.ndarray,
    images: JudgedImages,
    judge: VerdictJudge,
    cheap: Judge,
    given: Submitted,
    *,
    seed: int = 0,
    draws: int = IMAGES,
    pool: str = "max",
) -> Iterator[Verdict]:
    """A row for each text of each unit in `given`, and for each unit without text.

    Args:
        table: activations of the network.
        positions: int64 [n], columns of the table that score.
        images: those images.
        judge: the costly one.
        cheap: says which images matter; another model.
        given: the descriptions.
        seed: of the draws.
        draws: images drawn for a text, with replacement.
        pool: of the table.

    """
    keys = list(given.explanations)
    with judge.opened():
        for key, row in zip(keys, table.rows_of(keys), strict=True):
            texts = given.explanations[key].texts
            if row < 0:
                yield from (Verdict(key, text, "unknown unit") for text in texts or ("",))
                continue
            a = table.block(np.array([row]), pool, positions)
            if dead_units(a)[0]:
                yield from (Verdict(key, text, "dead") for text in texts or ("",))
            elif not texts:
                yield Verdict(key, "", "abstained")
            else:
                for text in texts:
                    yield _verdict(key, text, a[0], images, judge, cheap, seed, draws)


def _verdict(
    key: UnitKey,
    text: str,
    a: np.ndarray,
    images: JudgedImages,
    judge: VerdictJudge,
    cheap: Judge,
    seed: int,
    draws: int,
) -> Verdict:
    if np.isnan(cheap.columns(images, [text])).any():
        return Verdict(key, text, "unread by the cheap judge")
    got = estimated(judge, images, a, text, cheap, seed, draws)
    status: VerdictStatus = "no verdicts" if np.isnan(got.correlation.value) else "scored"
    return Verdict(key, text, status, got)


def summary(rows: list[Verdict]) -> str:
    """Counts by status, and the mean correlation, in one sentence."""
    counts = Counter(row.status for row in rows)
    told = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    values = [r.estimate.correlation.value for r in rows if r.status == "scored" and r.estimate]
    mean = f"; mean correlation {np.mean(values):.3f}" if values else ""
    return f"{len(rows)} texts: {told}{mean}"
