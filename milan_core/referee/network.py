"""Held-out scores of everything that was said of one network, by one judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee.board import Board, BoardFacts
from milan_core.referee.board_means import make_board
from milan_core.referee.further import FURTHER, Further
from milan_core.referee.judge import (
    Judge,
    JudgedImages,
    facts,
    image_vectors,
    own_describers,
)
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.options import ScoringOptions
from milan_core.referee.said import TRIVIAL, TRUTH, Lists, Said, explanations, trivial, true_texts
from milan_core.referee.sanity import Verdict, sanity
from milan_core.referee.score import OTHERS, Bench, BlockScores, Scores
from milan_core.referee.scored import COLUMNS, Explanation
from milan_core.referee.table import scored_images
from milan_core.scoring.tables import Truth

COMPARISONS = (*OTHERS, *FURTHER)
SCORES = ("describer", *COLUMNS, *COMPARISONS)
SANITY = ("metric", "missing", "extra", "both", "units")
COMPARED = 40  # units for scores that are printed for comparison only
TESTED = 100  # units that the sanity tests are run on


@dataclass(frozen=True)
class NetworkScores:
    """Scores of one network: by describer, their board, and the verdicts on the metrics."""

    scores: dict[str, Scores]
    board: Board
    verdicts: list[Verdict]

    def rows(self) -> list[list[object]]:
        """Rows of scores.csv: SCORES."""
        return [
            [name, *row.cells(COMPARISONS)] for name, one in self.scores.items() for row in one.rows
        ]

    def sanity_rows(self) -> list[list[object]]:
        """Rows of sanity.csv: SANITY."""
        return [[v.metric, v.missing, v.extra, v.both, v.units] for v in self.verdicts]


@dataclass(frozen=True)
class Prepared:
    """Everything that is scored of one network, and the bench that scores it."""

    bench: Bench
    explained: dict[str, list[Explanation]]  # by describer, one text a unit
    ordered: dict[str, list[Explanation]]  # weighted ones too, in the order of the tables
    facts: BoardFacts
    models: Mapping[str, str]

    @property
    def judged(self) -> dict[str, list[Explanation]]:
        """What the judge scores: not the words of describers that read it."""
        return {name: ones for name, ones in self.ordered.items() if name not in self.facts.own}


def prepare(
    table: ActivationTable,
    dataset: Dataset,
    judge: Judge,
    said: Said,
    truth: Mapping[UnitKey, Truth],
    options: ScoringOptions,
    seed: int,
    models: Mapping[str, str] | None = None,
    lists: Lists | None = None,
) -> Prepared:
    """Gather every describer, the trivial baselines and the truth on the same images.

    A describer that reads the judge's model has rows without scores. No describer that reads a
    judge counts for random texts and for the sanity tests, so that these are those of all judges.

    Args:
        table: activations of the network.
        dataset: its images.
        judge: says what they show.
        said: descriptions by describer, the main one first.
        truth: the concept of each unit, as far as it is known.
        options: how scores are made.
        seed: of resamples, random words and damaged labels.
        models: identity of the judge that a describer reads, by name of the describer.
        lists: weighted texts by describer; the sanity tests do without them, since a weighted sum
            is no presence.

    """
    models = models or {}
    own = own_describers(judge, models)
    positions, heldout = scored_images(table, options.fewest)
    images = JudgedImages(dataset, table.ids[positions])
    further = Further(table, positions, seed, image_vectors(judge, images))
    bench = Bench(table, positions, images, judge, options, seed, further=further)
    others = {name: texts for name, texts in said.items() if name not in models}
    every = {**said, **trivial(others, bench.keys, seed)}
    if truth:
        every[TRUTH] = true_texts(truth)
    explained = {name: explanations(texts, bench.keys) for name, texts in every.items()}
    weighted = {
        name: [given.get(key, Explanation(key)) for key in bench.keys]
        for name, given in (lists or {}).items()
    }
    made_of = BoardFacts(
        model=table.facts.model,
        **facts(judge),
        heldout=heldout,
        images=len(positions),
        alpha=options.alpha,
        own=own,
    )
    return Prepared(bench, explained, _ordered(explained, weighted), made_of, models)


def score_prepared(
    prepared: Prepared, seed: int, blocks: Iterable[BlockScores] | None = None
) -> NetworkScores:
    """Scores of everything, with their board and the sanity of the metrics.

    `blocks` are the scores of `judged`, made elsewhere (`referee.blocks`); None: made here.
    """
    bench, models = prepared.bench, prepared.models
    scored = score_together(bench, prepared.judged, blocks)
    scores = {
        name: scored[name] if name in scored else bench.unscored(ones, "own judge")
        for name, ones in prepared.ordered.items()
    }
    fair = {name: ones for name, ones in prepared.explained.items() if name not in models}
    pairs = bench.pairs(best_explanations(fair, scores, seed))
    verdicts = sanity(pairs, HEADLINE, seed) + sanity(pairs[:COMPARED], OTHERS, seed)
    return NetworkScores(scores, make_board(prepared.facts, scores), verdicts)


def _ordered(
    explained: dict[str, list[Explanation]], weighted: dict[str, list[Explanation]]
) -> dict[str, list[Explanation]]:
    """All explanations, weighted ones before the trivial baselines."""
    first = {name: ones for name, ones in explained.items() if name not in (*TRIVIAL, TRUTH)}
    return {**first, **weighted, **explained}


def distinct(explained: Mapping[str, list[Explanation]]) -> list[Explanation]:
    """Every explanation once: what several describers say of a unit is scored once."""
    return list(dict.fromkeys(one for ones in explained.values() for one in ones))


def score_together(
    bench: Bench,
    explained: Mapping[str, list[Explanation]],
    blocks: Iterable[BlockScores] | None = None,
) -> dict[str, Scores]:
    """Scores by describer, from blocks of `distinct(explained)` or made here."""
    every = distinct(explained)
    place = {one: number for number, one in enumerate(every)}
    together = bench.score(every, blocks=blocks)
    scores = {}
    for name, ones in explained.items():
        places = [place[one] for one in ones]
        drawn = {score: values[:, places] for score, values in together.resampled.items()}
        scores[name] = Scores([together.rows[i] for i in places], drawn)
    return scores


def best_explanations(
    explained: Mapping[str, list[Explanation]], scores: Mapping[str, Scores], seed: int
) -> list[Explanation]:
    """For some units what correlates best with them: the concepts that the sanity tests damage.

    Units are drawn from those whose best correlation is above 0.
    """
    names = list(explained)
    values = np.array([[row.correlation.value for row in scores[name].rows] for name in names])
    values = np.where(np.isfinite(values), values, -np.inf)
    best = values.argmax(0)
    able = np.flatnonzero(values.max(0) > 0)
    drawn = np.sort(generator(seed, "sanity units").permutation(able)[:TESTED])
    return [explained[names[best[unit]]][unit] for unit in drawn]
