"""Means of a leaderboard: over the units of one network, and over the networks of a run.

Intervals of correlation and lift are percentiles over common resamples of the images; the units are
all those of the network, so nothing is drawn there. Those of the scores for comparison are over
resamples of the units. A difference is over the units that both describers have a score for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.numbers import mean_or_nan
from milan_core.core.seeding import generator
from milan_core.referee.board import ALL, Board, BoardFacts, Counts, Mean, Place
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.score import FOR_COMPARISON, Scores
from milan_core.referee.scored import COUNTED


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
        value=mean_or_nan(mine[here]),
        units=int(here.sum()),
        drawn=_means(drawn[:, here]),
        lead=mean_or_nan(mine[both] - mains[both]),
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
    return Mean(mean_or_nan(values[there]), int(there.sum()), drawn, float("nan"), 0, nothing)


def _compared(mean: Mean, lead: Mean) -> Mean:
    return replace(mean, lead=lead.value, both=lead.units, lead_drawn=lead.drawn)


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
