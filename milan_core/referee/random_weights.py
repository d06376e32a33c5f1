"""A control for a table of descriptions: the same network with random weights.

A unit follows color and contrast before it has learned anything, so some text of a long table
correlates with any unit. The best text of the table is chosen for every unit on half of the images
and has all scores on the other half, on the network and on one whose weights were drawn anew.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from milan_core.core.seeding import generator, seed_torch
from milan_core.exemplars.table import ActivationTable
from milan_core.networks.zoo import LoadedModel
from milan_core.referee.board import ALL, Board, BoardFacts, Place
from milan_core.referee.board_means import make_board
from milan_core.referee.further import Further
from milan_core.referee.fuzzing import Marks, fuzz_units
from milan_core.referee.judge import Judge, JudgedImages, image_vectors, judged
from milan_core.referee.judge import facts as judge_facts
from milan_core.referee.options import ScoringOptions
from milan_core.referee.score import Bench
from milan_core.referee.scored import COUNTED, Explanation
from milan_core.referee.table import dead_units

BEST = "best text of the table"
RANDOM = "random weights"


def randomized(network: LoadedModel, seed: int) -> tuple[LoadedModel, float]:
    """A copy whose layers draw their weights anew, and the share of weights that were drawn.

    Layers without `reset_parameters` keep theirs.
    """
    import torch

    module = copy.deepcopy(network.module)
    drawn = 0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        seed_torch(seed, "random weights")
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
                drawn += sum(weight.numel() for weight in part.parameters(recurse=False))
    total = sum(weight.numel() for weight in module.parameters())
    return replace(network, module=module), drawn / total if total else 0.0


class _Part:
    """A judge of some of the images that it has seen."""

    def __init__(self, judge: Judge, images: JudgedImages, rows: np.ndarray) -> None:
        self.name, self.model = judge.name, judge.model
        self._judge, self._images, self._rows = judge, images, rows

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        return self._judge.columns(self._images, texts)[self._rows]

    def image_vectors(self, images: JudgedImages) -> np.ndarray | None:
        vectors = image_vectors(self._judge, self._images)
        return None if vectors is None else vectors[self._rows]


def best_of_texts(
    table: ActivationTable,
    positions: np.ndarray,
    images: JudgedImages,
    judge: Judge,
    texts: Sequence[str],
    options: ScoringOptions,
    seed: int,
    pool: str = "max",
    model: str = "",
    marks: Marks | None = None,
) -> Board:
    """All scores of each unit's best text, as a board of one describer.

    Args:
        table: activations.
        positions: int64 [n], columns that score.
        images: the same images.
        judge: says what they show.
        texts: all texts of the table, different ones.
        options: how scores are made.
        seed: of the two halves and of draws.
        pool: of the table.
        model: name of the network in the board.
        marks: where its units fire, for fuzzing; None: without.

    """
    order = generator(seed, "halves of the images", len(positions)).permutation(len(positions))
    choosing, scoring = (np.sort(half) for half in np.array_split(order, 2))
    best = _best(table, positions[choosing], choosing, images, judge, texts, pool)
    part = _Part(judge, images, scoring)
    shown = JudgedImages(images.dataset, images.ids[scoring])
    vectors = part.image_vectors(shown)
    further = Further(table, positions[scoring], seed, vectors, pool=pool)
    bench = Bench(table, positions[scoring], shown, part, options, seed, pool, further)
    said = [
        Explanation(key, (texts[place],) if place >= 0 else ())
        for key, place in zip(bench.keys, best.tolist(), strict=True)
    ]
    facts = BoardFacts(
        model=model,
        **judge_facts(judge),
        heldout=False,
        images=len(scoring),
        alpha=options.alpha,
    )
    scores = bench.score(said)
    if marks is not None:
        able = {i: said[i] for i, row in enumerate(scores.rows) if row.status in COUNTED}
        asked = getattr(judge, "judge", judge)  # a remembered one keeps what it is asked
        found, _ = fuzz_units(bench, asked, images.dataset, {BEST: able}, marks, seed)
        scores = scores.with_others(found[BEST])
    return make_board(facts, {BEST: scores})


def _best(
    table: ActivationTable,
    positions: np.ndarray,
    rows: np.ndarray,
    images: JudgedImages,
    judge: Judge,
    texts: Sequence[str],
    pool: str,
) -> np.ndarray:
    """Number of the text that correlates most with each unit on the images at `rows`; -1: none."""
    values = np.concatenate([block for _, block in table.blocks(pool, positions)])
    found, largest = np.full(len(values), -1), np.full(len(values), -np.inf)
    place_of = {text: place for place, text in enumerate(texts)}
    for part, columns in judged(judge, images, texts):
        read = ~np.isnan(columns).any(0)
        if read.any():
            places = np.array([place_of[text] for text in part])[read]
            correlations = _correlations(values, columns[rows][:, read])
            first = correlations.argmax(1)
            value = correlations[np.arange(len(values)), first]
            better = value > largest
            found[better], largest[better] = places[first[better]], value[better]
    found[dead_units(values)] = -1
    return found


def _correlations(a: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Correlations of rows float [units, n] and columns float [n, texts]; 0 if constant."""
    za = a.astype(np.float64) - a.mean(1, keepdims=True, dtype=np.float64)
    zc = c.astype(np.float64) - c.mean(0, dtype=np.float64)
    sizes = np.linalg.norm(za, axis=1)[:, None] * np.linalg.norm(zc, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sizes > 1e-12, (za @ zc) / sizes, 0.0)


def sentence(trained: Board, random: Board, share: float) -> str:
    """The control in words."""
    place = Place(BEST, ALL, "correlation")
    one, other = trained.means[place], random.means[place]
    text = (
        f"The best text of this table for each unit, chosen on half of the images, correlates "
        f"{one.value:.3f} on the other half ({one.units} units); on the same network with random "
        f"weights {other.value:.3f} ({other.units} units): a unit follows that much before it has "
        "learned anything."
    )
    if share < 1:
        text += f" {100 * share:.0f} % of the weights were drawn anew; other layers cannot be."
    return text
