"""The leaderboard of one network: means over units with intervals, and differences to the main one.

Intervals of correlation and lift are percentiles over common resamples of the images; the units are
all those of the network, so nothing is drawn there. Those of the scores for comparison are over
resamples of the units. A difference is over the units that both describers have a score
for. Units without a score are counted, never taken for 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from milan_core.core.errors import UserError, reads
from milan_core.core.options import Content, plain
from milan_core.core.seeding import generator
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import load_tensors, save_tensors
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.resampling import Interval, interval
from milan_core.referee.score import FOR_COMPARISON, Scores
from milan_core.referee.scored import COUNTED, rounded

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


def make_board(facts: BoardFacts, scores: Mapping[str, Scores]) -> Board:
    """The board of one network from the scores of every describer, the main one first.

    All describers have one explanation for each unit, in the same order.
    """
    board = Board(facts, {}, {})
    main = next(iter(scores.values()))
    layers = np.array([row.key[0] for row in main.rows])
    resamples = unit_resamples(len(layers), len(main.resampled[HEADLINE[0]]))
    mains = _compared_values(main)
    for name, one in scores.items():
        statuses = np.array([row.status for row in one.rows])
        others = _compared_values(one)
        for layer in [ALL, *dict.fromkeys(layers.tolist())]:
            inside = np.ones(len(layers), bool) if layer == ALL else layers == layer
            abstained = int((statuses[inside] == "abstained").sum())
            without = int((inside & ~np.isin(statuses, COUNTED)).sum())
            board.counts[name, layer] = Counts(int(inside.sum()), abstained, without - abstained)
            for score in HEADLINE:
                board.means[Place(name, layer, score)] = _headline(score, one, main, inside)
            for score, values in others.items():
                if np.isfinite(values[inside]).any():
                    lead = np.where(inside, values - mains.get(score, np.nan), np.nan)
                    mean = over_units(np.where(inside, values, np.nan), resamples)
                    board.means[Place(name, layer, score)] = (
                        mean if one is main else _compared(mean, over_units(lead, resamples))
                    )
    return board


def _compared_values(scores: Scores) -> dict[str, np.ndarray]:
    """Values float64 [units] of each score for comparison that a describer has, NaN where none."""
    columns = {
        score: np.array([row.others.get(score, np.nan) for row in scores.rows])
        for score in FOR_COMPARISON
    }
    return {score: values for score, values in columns.items() if np.isfinite(values).any()}


def _headline(score: str, one: Scores, main: Scores, inside: np.ndarray) -> Mean:
    mine, mains = (
        np.array([getattr(row, score).value for row in scores.rows]) for scores in (one, main)
    )
    here = inside & np.isfinite(mine)
    both = here & np.isfinite(mains) & (one is not main)
    drawn, base = one.resampled[score], main.resampled[score]
    return Mean(
        value=_mean(mine[here]),
        units=int(here.sum()),
        drawn=_means(drawn[:, here]),
        lead=_mean(mine[both] - mains[both]),
        both=int(both.sum()),
        lead_drawn=_means(drawn[:, both] - base[:, both]),
    )


def unit_resamples(units: int, count: int) -> np.ndarray:
    """Count each unit in each resample of the units: float64 [count, units]."""
    drawn = generator(0, "referee resamples of units", units).integers(0, units, (count, units))
    return np.stack([np.bincount(row, minlength=units) for row in drawn]).astype(np.float64)


def over_units(values: np.ndarray, resamples: np.ndarray) -> Mean:
    """Mean of a score float [units], NaN where there is none, with resamples of the units.

    Scores that are printed for comparison are not made again on resampled images.
    """
    there = np.isfinite(values)
    weights = resamples[:, there]
    totals = weights.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.where(totals > 0, weights @ values[there] / totals, np.nan)
    nothing = np.full(len(resamples), np.nan)
    return Mean(_mean(values[there]), int(there.sum()), drawn, float("nan"), 0, nothing)


def _compared(mean: Mean, lead: Mean) -> Mean:
    return replace(mean, lead=lead.value, both=lead.units, lead_drawn=lead.drawn)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _means(drawn: np.ndarray) -> np.ndarray:
    """Mean over units in every resample: float64 [resamples]; undefined units are left out."""
    defined = np.isfinite(drawn)
    totals = np.where(defined, drawn, 0).sum(1, dtype=np.float64)
    return np.where(defined.any(1), totals / np.maximum(defined.sum(1), 1), np.nan)


def pooled(boards: Sequence[Board], facts: BoardFacts) -> Board:
    """The board over all units of several networks, for describers and scores that all have.

    Networks that were scored on equally many images share their resamples.

    Raises:
        UserError: for different numbers of resamples.

    """
    counted = {len(mean.drawn) for board in boards for mean in board.means.values()}
    if len(counted) > 1:
        raise UserError(
            f"the networks were scored with {', '.join(map(str, sorted(counted)))} resamples, "
            "expected one number; score them again with the same options"
        )
    joined = Board(facts, {}, {})
    for name in boards[0].describers:
        if not all((name, ALL) in board.counts for board in boards):
            continue
        counts = np.array([board.counts[name, ALL] for board in boards]).sum(0)
        joined.counts[name, ALL] = Counts(*counts.tolist())
        for score in (*HEADLINE, *FOR_COMPARISON):
            place = Place(name, ALL, score)
            if all(place in board.means for board in boards):
                joined.means[place] = _weighted([board.means[place] for board in boards])
    return joined


def _weighted(parts: Sequence[Mean]) -> Mean:
    units, both = [part.units for part in parts], [part.both for part in parts]
    return Mean(
        value=float(_average([np.array(part.value) for part in parts], units)),
        units=sum(units),
        drawn=_average([part.drawn for part in parts], units),
        lead=float(_average([np.array(part.lead) for part in parts], both)),
        both=sum(both),
        lead_drawn=_average([part.lead_drawn for part in parts], both),
    )


def _average(values: Sequence[np.ndarray], weights: Sequence[int]) -> np.ndarray:
    """Weighted mean over networks; those of weight 0 do not count, NaN where all are."""
    total = sum(weights)
    average = np.zeros_like(values[0], dtype=np.float64)
    for value, weight in zip(values, weights, strict=True):
        if weight:
            average = average + value * (weight / total)
    return average if total else np.full_like(average, np.nan)
