"""Scores that are printed for comparison beside correlation and AUPRC: S4, S5 and S7.

One pass over the explanations that can be scored; the unit's sheets come from its table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from milan_core.exemplars.table import ActivationTable
from milan_core.referee.cosy import cosy
from milan_core.referee.detection import SHEET, detection, discrimination, nearest_units, trial
from milan_core.referee.score import Bench
from milan_core.referee.scored import Explanation
from milan_core.referee.structure import clarity, monosemanticity, redundancy

FUZZED = ("fuzzing", "fuzzing auroc")
"""Scores that need masks: `fuzzing`."""
FURTHER = (
    *FUZZED,
    *("detection", "detection auroc", "detection calibration", "discrimination"),
    *("cosy auc", "cosy mad", "cosy images"),
    *("clarity", "monosemanticity", "monosemanticity .999"),
)
"""Names of the scores; the last three need vectors of the images."""
COMPARED = 4000  # images by which units are compared with each other
Further = dict[int, dict[str, float]]


class Sheets:
    """The strongest images of every unit, and its nearest unit in the layer.

    Args:
        table: activations.
        positions: int64 [n], columns that score.
        pool: of the table.

    """

    def __init__(self, table: ActivationTable, positions: np.ndarray, pool: str = "max") -> None:
        units = table.facts.units
        self.sheets = np.zeros((units, min(SHEET, len(positions))), np.int64)
        self.nearest = np.full(units, -1, np.int64)  # row of the nearest unit; -1: none
        self.layers: dict[str, slice] = {}
        for rows, block in table.blocks(pool, positions):
            order = np.argsort(-block, axis=1, kind="stable")
            self.sheets[rows] = order[:, : self.sheets.shape[1]]
        first = 0
        for layer, count in table.facts.layers:
            members = slice(first, first + count)
            self.layers[layer] = members
            near = nearest_units(table.block(members, pool, positions[:COMPARED]))
            self.nearest[members] = np.where(near >= 0, near + first, -1)
            first += count


def further_scores(
    bench: Bench,
    explanations: Sequence[Explanation],
    places: Sequence[int],
    sheets: Sheets,
    seed: int,
    vectors: np.ndarray | None = None,
) -> Further:
    """Scores by number of explanation, for those at `places`; NaN where one is undefined.

    Explanations with weights have none: a sum of presences is no presence.

    Args:
        bench: the images and the judge.
        explanations: any.
        places: numbers of those that can be scored.
        sheets: of the same images.
        seed: of the draws.
        vectors: float32 [n, d], unit vectors of the images, where the judge has some.

    """
    row_of = {key: row for row, key in enumerate(bench.keys)}
    unweighted = [place for place in places if not explanations[place].weights]
    found: Further = {}
    for block in bench.blocks(explanations, unweighted):
        for number, place in enumerate(block.places.tolist()):
            c = block.c[:, number]
            if np.isnan(c).any():
                continue
            row = row_of[explanations[place].key]
            found[place] = _of_unit(
                block.a[:, number], c, row, sheets, seed, vectors, explanations[place]
            )
    return found


def _of_unit(
    a: np.ndarray,
    c: np.ndarray,
    row: int,
    sheets: Sheets,
    seed: int,
    vectors: np.ndarray | None,
    one: Explanation,
) -> dict[str, float]:
    out = dict.fromkeys(FURTHER, float("nan"))
    images = trial(a, seed, *one.key, vectors=vectors)
    if images is not None:
        told = detection(c, images)
        out["detection"], out["detection auroc"] = told.accuracy, told.auroc
        out["detection calibration"] = told.calibration
    if (other := int(sheets.nearest[row])) >= 0:
        out["discrimination"] = discrimination(c, sheets.sheets[row], sheets.sheets[other])
    drawn = cosy(a, c, seed)
    out["cosy auc"], out["cosy mad"], out["cosy images"] = drawn.auc, drawn.mad, drawn.images
    if vectors is not None:
        out["clarity"] = clarity(vectors[sheets.sheets[row]])
        out["monosemanticity"] = float(monosemanticity(a[:, None], vectors)[0])
        out["monosemanticity .999"] = float(monosemanticity(a[:, None], vectors, 0.999)[0])
    return out


def layer_redundancy(sheets: Sheets, vectors: np.ndarray) -> Mapping[str, float]:
    """Redundancy of every layer: mean largest cosine of a unit's mean exemplar to another's."""
    out = {}
    for layer, rows in sheets.layers.items():
        means = vectors[sheets.sheets[rows]].mean(1)
        norms = np.linalg.norm(means, axis=1, keepdims=True)
        out[layer] = redundancy(means / np.maximum(norms, 1e-12))
    return out
