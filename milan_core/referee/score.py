"""Scores of descriptions on held-out images: simulation correlation (S1) and AUPRC lift (S3).

    bench = Bench(table, positions, JudgedImages(dataset, table.ids[positions]), judge, options)
    scores = bench.score(explanations)     # one `Scored` for each, in their order

Explanations are worked on in blocks of texts, so that memory holds one block of judged columns and
the activations of its units, whatever the number of texts. Intervals are percentiles over common
resamples of the images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from milan_core.core.progress import tracked
from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.referee.further import FURTHER, FUZZED, Further
from milan_core.referee.judge import Judge, JudgedImages, judged
from milan_core.referee.metrics import (
    HEADLINE,
    METRICS,
    Pair,
    auprc_lift,
    correlation,
    firing,
)
from milan_core.referee.options import ScoringOptions
from milan_core.referee.resampling import Ranked, Resamples, intervals
from milan_core.referee.scored import Explanation, Scored, Status
from milan_core.referee.table import dead_units

OTHERS = tuple(name for name in METRICS if name not in HEADLINE)
FOR_COMPARISON = (*OTHERS, *FUZZED, *FURTHER)
"""Names of all scores but the headline ones."""
BLOCK = 16 << 20  # bytes of float32 that a block of judged columns takes


@dataclass(frozen=True)
class Scores:
    """Scores of explanations, with the headline scores in every resample.

    Attributes:
        rows: one each, in the order of the explanations.
        resampled: by headline score, float32 [resamples, explanations]; NaN where there is none.

    """

    rows: list[Scored]
    resampled: dict[str, np.ndarray]

    def with_others(self, found: Mapping[int, Mapping[str, float]]) -> Scores:
        """The same with further scores for comparison, by number of the explanation."""
        rows = [
            replace(row, others={**row.others, **found[place]}) if place in found else row
            for place, row in enumerate(self.rows)
        ]
        return Scores(rows, self.resampled)


@dataclass(frozen=True, eq=False)
class BlockScores:
    """Scores of a block of explanations: numbers int64 [p], rows, float32 [resamples, p]."""

    places: np.ndarray
    rows: list[Scored]
    resampled: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Judged:
    """A block of explanations that can be scored: activations and judged presence side by side."""

    places: np.ndarray  # int64 [p], numbers of the explanations
    a: np.ndarray  # float32 [n, p], activations of their units
    c: np.ndarray  # float32 [n, p], presence of what they say


class Bench:
    """Scores explanations of the units of one network on fixed images by one judge.

    Args:
        table: activations of the network.
        positions: int64 [n], columns of the table that score.
        images: the same images, for the judge.
        judge: says what they show.
        options: how scores are made.
        seed: of the resamples.
        pool: of the table.
        further: gives the scores for comparison that are not of NeuronEval; None: without.

    """

    def __init__(
        self,
        table: ActivationTable,
        positions: np.ndarray,
        images: JudgedImages,
        judge: Judge,
        options: ScoringOptions,
        seed: int = 0,
        pool: str = "max",
        further: Further | None = None,
    ) -> None:
        self._further = further
        self._table, self._positions, self._pool = table, positions, pool
        self._images, self._judge, self.options = images, judge, options
        self._resamples = Resamples(len(positions), seed, options.resamples)
        self._row_of = {key: row for row, key in enumerate(table.keys)}
        self._pairs: dict[UnitKey, Pair] = {}
        self._dead = np.zeros(len(self._row_of), bool)
        for rows, block in table.blocks(pool, positions):
            self._dead[rows] = dead_units(block)

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit that there is."""
        return list(self._row_of)

    def activations(self, key: UnitKey) -> tuple[np.ndarray, np.ndarray]:
        """Pooled activations of a unit on the images that score, float32 [n], and their numbers."""
        row = self._row_of[key]
        values = self._table.block(slice(row, row + 1), self._pool, self._positions)[0]
        return values, self._table.ids[self._positions]

    def status(self, explanation: Explanation) -> Status:
        """Why an explanation cannot be scored; `scored` where only the judge can tell."""
        row = self._row_of.get(explanation.key)
        if row is None:
            return "unknown unit"
        if explanation.failed:
            return "failed"
        if self._dead[row]:
            return "dead"
        return "scored" if any(text.strip() for text in explanation.texts) else "abstained"

    def unscored(self, explanations: Sequence[Explanation], status: Status) -> Scores:
        """Explanations without scores: of those that could be scored, `status` says why not."""
        rows = [Scored(one.key, one.description, self.status(one)) for one in explanations]
        rows = [replace(row, status=status) if row.status == "scored" else row for row in rows]
        nothing = np.full((self.options.resamples, len(rows)), np.nan, np.float32)
        return Scores(rows, dict.fromkeys(HEADLINE, nothing))

    def score(
        self,
        explanations: Sequence[Explanation],
        *,
        others: bool = True,
        blocks: Iterable[BlockScores] | None = None,
    ) -> Scores:
        """Scores of every explanation; `others`: those for comparison too.

        `blocks` are those of `grid`, scored elsewhere; None: they are scored here.
        """
        rows = [Scored(one.key, one.description, self.status(one)) for one in explanations]
        shape = (self.options.resamples, len(rows))
        resampled = {name: np.full(shape, np.nan, np.float32) for name in HEADLINE}
        if blocks is None:
            grid = self.grid(explanations)
            made = (self.score_block(explanations, places, others=others) for places in grid)
            count = sum(map(len, grid))
            blocks = tracked(made, "scoring", "unit", total=count, size=lambda one: len(one.places))
        for block in blocks:
            for place, row in zip(block.places.tolist(), block.rows, strict=True):
                rows[place] = row
            for name, values in block.resampled.items():
                resampled[name][:, block.places] = values
        return Scores(rows, resampled)

    def grid(self, explanations: Sequence[Explanation]) -> list[list[int]]:
        """Numbers of the explanations that can be scored, in blocks with equal texts together."""
        places = [place for place, one in enumerate(explanations) if self.status(one) == "scored"]
        limit = max(1, BLOCK // (4 * len(self._positions)))
        ordered = sorted(places, key=lambda place: (explanations[place].texts, place))
        blocks, done = [], 0
        while done < len(ordered):
            taken, texts = 0, dict.fromkeys(explanations[ordered[done]].texts)
            for place in ordered[done : done + limit]:
                more = texts | dict.fromkeys(explanations[place].texts)
                if len(more) > max(limit, len(texts)):
                    break
                texts, taken = more, taken + 1
            blocks.append(ordered[done : done + taken])
            done += taken
        return blocks

    def pairs(self, explanations: Sequence[Explanation]) -> list[Pair]:
        """Activation, presence and firing of every explanation that can be scored."""
        pairs = []
        for places in self.grid(explanations):
            block = self._judged(explanations, places)
            fires = firing(block.a, self.options.alpha)
            for number in range(len(block.places)):
                a, c = (x[:, number].astype(np.float64) for x in (block.a, block.c))
                if not np.isnan(c).any():
                    pairs.append(Pair(a, c, fires[:, number]))
        return pairs

    def _judged(self, explanations: Sequence[Explanation], places: Sequence[int]) -> Judged:
        texts = list(dict.fromkeys(text for i in places for text in explanations[i].texts))
        parts = [columns for _, columns in judged(self._judge, self._images, texts)]
        columns, column_of = np.concatenate(parts, 1), {text: i for i, text in enumerate(texts)}
        c = np.empty((len(columns), len(places)), np.float32)
        for number, place in enumerate(places):
            one = explanations[place]
            chosen = columns[:, [column_of[text] for text in one.texts]]
            if one.weights:
                c[:, number] = chosen @ np.array(one.weights, np.float32)
            else:
                c[:, number] = chosen[:, 0] if len(one.texts) == 1 else chosen.mean(1)
        rows = np.array([self._row_of[explanations[place].key] for place in places])
        distinct, back = np.unique(rows, return_inverse=True)
        a = self._table.block(distinct, self._pool, self._positions)[back].T
        return Judged(np.array(places), a, c)

    def score_block(
        self, explanations: Sequence[Explanation], places: Sequence[int], *, others: bool = True
    ) -> BlockScores:
        """Scores of the explanations with the numbers `places`, a block of `grid`."""
        block = self._judged(explanations, places)
        rows: list[Scored] = []
        values = correlation(block.a, block.c)
        drawn = self._resamples.correlation(block.a, block.c)
        fires = firing(block.a, self.options.alpha)
        read = np.flatnonzero(~np.isnan(block.c).any(0))
        lifts, lead = np.full(drawn.shape, np.nan), np.full(len(block.places), np.nan)
        further: dict[int, dict[str, float]] = {}
        before: tuple[Explanation, Pair, Ranked] | None = None
        for number in read.tolist():
            one = explanations[block.places[number]]
            same = before is not None and _same_text(one, before[0])
            a, c = (x[:, number].astype(np.float64) for x in (block.a, block.c))
            concept = before[1] if same and before else None
            pair = Pair(a, c, fires[:, number]).sharing(self._pairs.get(one.key), concept)
            lead[number] = auprc_lift(pair)
            column = block.c[:, number]
            ranked = before[2] if same and before else self._resamples.ranked(column)
            one_lifts = self._resamples.lift(column, pair.b, ranked)
            # An image drawn twice supports itself: no bias.
            lifts[:, number] = one_lifts + (lead[number] - np.nanmean(one_lifts))
            if others and not one.weights:  # a sum of presences is no presence
                further[number] = {name: METRICS[name](pair) for name in OTHERS}
                if self._further is not None:
                    further[number] |= self._further.of(one.key, block.a[:, number], column)
            self._remember(one.key, pair)
            before = one, pair, ranked
        resampled = {
            name: np.full(drawn.shape, np.nan, np.float32) for name in ("correlation", "auprc")
        }
        resampled["correlation"][:, read], resampled["auprc"][:, read] = (
            drawn[:, read],
            lifts[:, read],
        )
        found = zip(intervals(values, drawn), intervals(lead, lifts), strict=True)
        for number, (correlated, lifted) in enumerate(found):
            one = explanations[block.places[number]]
            if number not in read:
                rows.append(Scored(one.key, one.description, "unread"))
                continue
            c = block.c[:, number]
            status: Status = "constant" if c.min() == c.max() else "scored"
            of = further.get(number, {})
            rows.append(Scored(one.key, one.description, status, correlated, lifted, of))
        return BlockScores(block.places, rows, resampled)

    def _remember(self, key: UnitKey, pair: Pair) -> None:
        """Keep a unit's pair, whose orders its other descriptions share: 64 MB at most."""
        if len(self._pairs) > BLOCK // (10 * len(self._positions)):
            self._pairs.clear()
        self._pairs[key] = pair


def _same_text(one: Explanation, other: Explanation) -> bool:
    return (one.texts, one.weights) == (other.texts, other.weights)
