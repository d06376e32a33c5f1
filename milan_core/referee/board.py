"""The leaderboard of one network: its rows and its file.

Means over units with intervals, and differences to the main describer (`referee.board_means`), by
describer, layer and score. Units without a score are counted, never taken for 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from milan_core.core.errors import reads
from milan_core.core.options import Content, plain
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import load_tensors, save_tensors
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.resampling import Interval, interval
from milan_core.referee.scored import rounded

KIND, VERSION = "milan-leaderboard", 1
ARRAYS = {
    "values": "float64 places 2",
    "units": "int64 places 2",
    "drawn": "float64 places resamples",
    "lead_drawn": "float64 places resamples",
}
"""Mean and lead, the units of both, and the same of every resample."""
ALL = "all"
COLUMNS = (
    *("describer", "model", "layer", "score", "value", "low", "high", "units", "abstained"),
    *("unscored", "difference", "difference_low", "difference_high", "judge", "heldout"),
    *("alpha", "note"),
)
OWN = "reads this judge, so only others score it"
"""Note of a describer without scores."""


class Place(NamedTuple):
    """The network, describer and judge of one row of the leaderboard."""

    describer: str
    layer: str  # or ALL
    score: str


class Counts(NamedTuple):
    """Units of one describer and layer; the last two have no score."""

    units: int
    abstained: int
    unscored: int  # dead, unread or failed


@dataclass(frozen=True, eq=False)
class Mean:
    """One describer's mean of one score over units.

    Attributes:
        value: over units with a score; NaN where there are none.
        units: with a score.
        drawn: float64 [resamples], the mean in every resample; NaN where there is no interval.
        lead: mean paired difference to the main describer, over units that both have.
        both: units of the difference.
        lead_drawn: float64 [resamples].

    """

    value: float
    units: int
    drawn: np.ndarray
    lead: float
    both: int
    lead_drawn: np.ndarray

    def intervals(self) -> tuple[Interval, Interval]:
        """The mean and the difference with their intervals."""
        return interval(self.value, self.drawn), interval(self.lead, self.lead_drawn)


class BoardFacts(Content):
    """Facts of a leaderboard.

    Attributes:
        images: on which the texts were scored.
        heldout: whether no describer has seen them.
        alpha: share of the images on which a unit fires, for AUPRC.
        own: describers that the judge does not score, with the reason.

    """

    model: str
    judge: str
    judge_model: str
    heldout: bool
    images: int
    alpha: float
    own: dict[str, str] = Field({})


class BoardMeta(Content):
    """Metadata of a file of `Board.save`."""

    facts: BoardFacts
    counts: list[tuple[str, str, int, int, int]]  # describer, layer, Counts
    places: list[Place]


@dataclass(frozen=True, eq=False)
class Board:
    """Means by describer, layer and score, with the counts behind them.

    Attributes:
        facts: what it is of.
        counts: by describer and layer.
        means: by place.

    """

    facts: BoardFacts
    counts: dict[tuple[str, str], Counts]
    means: dict[Place, Mean]

    @property
    def describers(self) -> list[str]:
        """Names in the order of the board, the main one first."""
        return list(dict.fromkeys(name for name, _ in self.counts))

    def note(self, describer: str) -> str:
        """Why a describer has no scores by this judge; empty where it has."""
        return OWN if describer in self.facts.own else ""

    def rows(self) -> Iterator[list[str | float | int]]:
        """Rows of leaderboard.csv: COLUMNS."""
        for place, mean in self.means.items():
            own, lead = mean.intervals()
            counts = self.counts[place.describer, place.layer]
            yield [
                *(place.describer, self.facts.model, place.layer, place.score),
                *map(rounded, (own.value, own.low, own.high)),
                *counts,
                *map(rounded, (lead.value, lead.low, lead.high)),
                *(self.facts.judge, int(self.facts.heldout), self.facts.alpha),
                self.note(place.describer),
            ]

    def save(self, path: Path | str) -> None:
        """Write one file of kind milan-leaderboard."""
        arrays = {
            "values": np.array([(m.value, m.lead) for m in self.means.values()]),
            "units": np.array([(m.units, m.both) for m in self.means.values()], np.int64),
            "drawn": np.stack([m.drawn for m in self.means.values()]),
            "lead_drawn": np.stack([m.lead_drawn for m in self.means.values()]),
        }
        counts = [(*key, *value) for key, value in self.counts.items()]
        meta = BoardMeta(facts=self.facts, counts=counts, places=list(self.means))
        save_tensors(path, KIND, VERSION, arrays, plain(meta))


@reads("the leaderboard of a network", "score the network again")
def load_board(path: Path) -> Board:
    """Read a file of `Board.save`."""
    arrays, meta = load_tensors(path, KIND, BoardMeta, (VERSION,))
    check_arrays(arrays, ARRAYS, places=len(meta.places))
    means = {}
    for row, place in enumerate(meta.places):
        value, lead = arrays["values"][row].tolist()
        units, both = arrays["units"][row].tolist()
        drawn, lead_drawn = arrays["drawn"][row], arrays["lead_drawn"][row]
        means[place] = Mean(value, units, drawn, lead, both, lead_drawn)
    counts = {(name, layer): Counts(*values) for name, layer, *values in meta.counts}
    needed = {Place(name, layer, score) for name, layer in counts for score in HEADLINE}
    extra = {(place.describer, place.layer) for place in means} - counts.keys()
    whole = {(name, ALL) for name, _ in counts} <= counts.keys()
    if not counts or not whole or extra or needed - means.keys():
        raise ValueError("its counts and its means are of other describers, layers or scores")
    return Board(meta.facts, counts, means)
