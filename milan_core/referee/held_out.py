"""Scores of one table of descriptions on held-out images, with everything that belongs beside.

scored = ScoredImages(table, dataset, positions)
result = score_submitted(scored, judge, read_submitted("theirs.csv"), options, seed=0)
result.save("scores")        # scores.csv, leaderboard.csv, sanity.csv, summary.md, section.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.files import write_csv, write_text
from milan_core.core.numbers import counted
from milan_core.core.progress import told
from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee import board as boards
from milan_core.referee.agreement import Agreement, agreement
from milan_core.referee.alpha import IMAGES, Chosen, choose_alpha, drawn_units, pairs_of
from milan_core.referee.board import Board, BoardFacts
from milan_core.referee.board_means import make_board
from milan_core.referee.further import Further
from milan_core.referee.fuzzing import Marks, fuzz_units
from milan_core.referee.judge import Judge, JudgedImages, image_vectors
from milan_core.referee.judge import facts as judge_facts
from milan_core.referee.metrics import HEADLINE, METRICS
from milan_core.referee.network import SANITY, best_explanations
from milan_core.referee.options import ScoringOptions
from milan_core.referee.remembered import Remembered
from milan_core.referee.said import explanations, trivial
from milan_core.referee.sanity import Verdict, sanity
from milan_core.referee.score import FOR_COMPARISON, Bench, Scores
from milan_core.referee.scored import COLUMNS, COUNTED, Explanation, Scored
from milan_core.referee.submitted import Submitted, unknown_units
from milan_core.referee.submitted_section import write_submitted
from milan_core.referee.summary import UNTESTED, markdown
from milan_core.referee.table import evenly

OURS = "descriptions"
ASKED = 300  # texts by which a judge is compared with the ground truth
HEADER = (*COLUMNS, *FOR_COMPARISON)


@dataclass(eq=False)
class HeldOutScores:
    """Scores of one table of descriptions.

    Attributes:
        facts: model, judge, images, whether they are held out, alpha, seed.
        rows: one for each unit of the network, then those of units that it does not have.
        board: means over units with intervals, trivial baselines beside.
        verdicts: the sanity tests of every metric on these units and images.
        redundancy: by layer, where the judge has vectors of images.
        trust: the judge beside the ground truth, where the images have one.
        controls: the best texts of the table on the network, and on it with random weights.
        notes: what was done with the table, in sentences.

    """

    facts: dict[str, Any]
    rows: list[Scored]
    board: Board
    verdicts: list[Verdict]
    redundancy: dict[str, float] = field(default_factory=dict)
    trust: Agreement | None = None
    controls: list[Board] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Units by status; they add up to the rows."""
        return dict(Counter(row.status for row in self.rows).most_common())

    def mean(self, score: str) -> float:
        """Mean of one score over the units that have it; NaN where none has."""
        values = np.array(
            [
                getattr(row, score).value if score in HEADLINE else row.others.get(score, np.nan)
                for row in self.rows
            ]
        )
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    def summary(self) -> str:
        """Everything on one page of Markdown."""
        return markdown(self)

    def save(self, folder: Path | str) -> list[str]:
        """Write scores.csv, leaderboard.csv, sanity.csv, summary.md and a section of the report.

        Returns their names.
        """
        folder = Path(folder)
        write_csv(folder / "scores.csv", HEADER, [row.cells(FOR_COMPARISON) for row in self.rows])
        rows = [row for one in (self.board, *self.controls) for row in one.rows()]
        write_csv(folder / "leaderboard.csv", boards.COLUMNS, rows)
        verdicts = [[v.metric, v.missing, v.extra, v.both, v.units] for v in self.verdicts]
        write_csv(folder / "sanity.csv", SANITY, verdicts)
        write_text(folder / "summary.md", self.summary())
        section = write_submitted(self, folder)
        return ["scores.csv", "leaderboard.csv", "sanity.csv", "summary.md", *section]


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """Images that descriptions are scored on, with the activations of the network.

    Attributes:
        table: activations, on these images and maybe on others of the data set.
        dataset: the images.
        positions: int64 [n], columns of the table that score.
        pool: of the table.
        heldout: whether it is known that no describer has seen the images that score.

    """

    table: ActivationTable
    dataset: Dataset
    positions: np.ndarray
    pool: str = "max"
    heldout: bool = False

    def judged(self, positions: np.ndarray | None = None) -> JudgedImages:
        """The images that score, or those of other columns of the table, for a judge."""
        chosen = self.positions if positions is None else positions
        return JudgedImages(self.dataset, self.table.ids[chosen])


def score_submitted(
    scored: ScoredImages,
    judge: Judge,
    given: Submitted,
    options: ScoringOptions,
    seed: int = 0,
    *,
    choosing: np.ndarray | None = None,
    marks: Marks | None = None,
    tested: bool = True,
) -> HeldOutScores:
    """Score a table of descriptions; every unit and every row is accounted for.

    Args:
        scored: the images, with the activations of the network.
        judge: says what they show.
        given: the descriptions.
        options: how scores are made.
        seed: of resamples, draws and damaged labels.
        choosing: int64 [m], columns of images that do not score, by which alpha is chosen; None:
            that of the options.
        marks: where units fire, for fuzzing; None: without.
        tested: whether the sanity tests are run.

    """
    judge = Remembered(judge)
    alpha = None
    if choosing is not None and len(choosing):
        alpha = _chosen_alpha(scored, choosing, judge, given, seed)
        options = options.model_copy(update={"alpha": alpha.alpha})
    table, positions, pool = scored.table, scored.positions, scored.pool
    images = scored.judged()
    further = Further(table, positions, seed, image_vectors(judge, images), pool)
    bench = Bench(table, positions, images, judge, options, seed, pool, further)
    explained = _explained(given, bench.keys, seed)
    scores = {name: bench.score(ones) for name, ones in explained.items()}
    trust, fuzzed = _trust(judge, images, given), []
    if marks is not None:
        scores, sentence = _fuzzed(
            scores, bench, judge.judge, scored.dataset, explained, marks, seed
        )
        fuzzed = [sentence]
    ours = [_noticed(row, given) for row in scores[OURS].rows]
    scores[OURS] = Scores(ours, scores[OURS].resampled)
    about = BoardFacts(
        model=table.facts.model,
        **judge_facts(judge),
        heldout=scored.heldout,
        images=len(positions),
        alpha=options.alpha,
    )
    facts = {
        **about.model_dump(exclude={"own"}),
        "dataset": scored.dataset.name,
        "pool": pool,
        "seed": seed,
        "resamples": options.resamples,
    }
    verdicts = _verdicts(bench, best_explanations(explained, scores, seed), seed) if tested else []
    outside = [key for key in given.explanations if key not in set(bench.keys)]
    rows = [*ours, *(_unknown(given.explanations[key]) for key in outside)]
    return HeldOutScores(
        facts=facts,
        rows=rows,
        board=make_board(about, scores),
        verdicts=verdicts,
        redundancy=dict(further.redundancy()),
        trust=trust,
        notes=[
            *given.notes(),
            *unknown_units(outside, bench.keys),
            *fuzzed,
            *([] if tested else [UNTESTED]),
            f"Alpha is {options.alpha:g}, fixed beforehand." if alpha is None else alpha.sentence(),
        ],
    )


def _verdicts(bench: Bench, best: list[Explanation], seed: int) -> list[Verdict]:
    """The sanity tests of every metric; none where no text correlates with its unit."""
    pairs = bench.pairs(best)
    if not pairs:
        return []
    told(f"sanity tests of {len(METRICS)} scores on {counted(len(pairs), 'unit')}")
    return sanity(pairs, list(METRICS), seed)


def _chosen_alpha(
    scored: ScoredImages, choosing: np.ndarray, judge: Judge, given: Submitted, seed: int
) -> Chosen:
    """Alpha by the given texts of some units, on images that do not score."""
    positions = evenly(choosing, IMAGES)
    named = [key for key in scored.table.keys if key in given.explanations]
    ones = [given.explanations[key] for key in drawn_units(named, seed)]
    images = scored.judged(positions)
    pairs = pairs_of(scored.table, positions, images, judge, ones, scored.pool)
    return choose_alpha(pairs, len(scored.positions), judge.name)


def _explained(given: Submitted, keys: list[UnitKey], seed: int) -> dict[str, list[Explanation]]:
    """One explanation for each unit, by describer: the given ones, then trivial ones."""
    ours = [given.explanations.get(key, Explanation(key)) for key in keys]
    first = {one.key: one.texts[0] for one in ours if one.texts}
    beside = {
        name: explanations(texts, keys)
        for name, texts in trivial({"milan": first}, keys, seed).items()
    }
    return {OURS: ours, **beside}


def _noticed(row: Scored, given: Submitted) -> Scored:
    """The row of a unit, which may be missing from the table."""
    missing = row.key not in given.explanations and row.status != "dead"
    return replace(row, status="missing") if missing else row


def _fuzzed(
    scores: Mapping[str, Scores],
    bench: Bench,
    judge: Judge,
    dataset: Dataset,
    explained: Mapping[str, list[Explanation]],
    marks: Marks,
    seed: int,
) -> tuple[dict[str, Scores], str]:
    """The scores of every describer with fuzzing, and what could not be done."""
    able = {
        name: {
            place: explained[name][place]
            for place, row in enumerate(one.rows)
            if row.status in COUNTED
        }
        for name, one in scores.items()
    }
    found, sentence = fuzz_units(bench, judge, dataset, able, marks, seed)
    return {name: one.with_others(found[name]) for name, one in scores.items()}, sentence


def _unknown(one: Explanation) -> Scored:
    return Scored(one.key, one.description, "unknown unit")


def _trust(judge: Judge, images: JudgedImages, given: Submitted) -> Agreement | None:
    """A judge beside the oracle, on the given texts, where the images have ground truth."""
    if not images.dataset.world or judge.model == "oracle":
        return None
    from milan_core.referee.judges.oracle import Judge as Oracle

    texts = list(dict.fromkeys(t for one in given.explanations.values() for t in one.texts))[:ASKED]
    if not texts:
        return None
    return agreement(judge.columns(images, texts), Oracle().columns(images, texts))
