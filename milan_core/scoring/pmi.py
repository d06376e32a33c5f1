"""What the weight of p(d) does: the same beams re-ranked with several lambda.

A beam file holds, for every unit, the B candidates that beam search found under p(d|E). Re-ranking
by log p(d|E) - lambda log p(d) (`spec/milan.md` 1.1) costs nothing, so plain p(d|E) (lambda 0) and
weighted PMI are compared on exactly the same candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import load_tensors, write_csv
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.scores import ACCURACY, BERT_F, Scorer, cell
from milan_core.scoring.units import Material, UnitKey, check_same_units

LAMBDAS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
DIVERSITY = ("distinct", "distinct_share", "mean_words", "mean_information", "vocabulary")
AGREEMENT = ("bleu", "rouge-l-f", BERT_F)
# Columns of a sweep that only units with known concepts have.
JUDGED = (ACCURACY, "low", "high", "accuracy_gain", "gain_low", "gain_high")


@dataclass(frozen=True)
class Beams:
    """Candidates per unit: `captions[u][b]`, with log p(d|E) and log p(d), float32 [U, B]."""

    units: tuple[UnitKey, ...]
    captions: tuple[tuple[str, ...], ...]
    logp: np.ndarray
    logp_lm: np.ndarray

    def select(self, units: Sequence[UnitKey]) -> Beams:
        """The beams of `units`, in that order; a unit that is not here is a `KeyError`."""
        place = {key: index for index, key in enumerate(self.units)}
        rows = [place[key] for key in units]
        captions = tuple(self.captions[row] for row in rows)
        return Beams(tuple(units), captions, self.logp[rows], self.logp_lm[rows])


def read_beams(path: Path | str) -> Beams:
    """Read a `milan-beams` file."""
    arrays, meta = load_tensors(path, "milan-beams")
    units = tuple(
        (str(layer), int(unit)) for layer, unit in zip(meta["layers"], meta["units"], strict=True)
    )
    captions = tuple(tuple(texts) for texts in meta["captions"])
    shape = (len(units), len(captions[0]) if captions else 0)
    for name in ("logp", "logp_lm"):
        if arrays[name].shape != shape or len(captions) != shape[0]:
            message = f"{path}: {name} has shape {arrays[name].shape}, the captions {shape}"
            raise UserError(message)
    return Beams(units, captions, arrays["logp"], arrays["logp_lm"])


def rerank(beams: Beams, weight: float) -> list[str]:
    """The caption with the highest logp - weight * logp_lm per unit; ties: the earlier beam."""
    scores = beams.logp.astype(np.float64)
    if weight:  # 0 * -inf would be NaN
        scores = scores - weight * beams.logp_lm.astype(np.float64)
    best = scores.argmax(axis=1)
    return [texts[index] for texts, index in zip(beams.captions, best, strict=True)]


def sweep(
    beams: Beams,
    material: Material,
    scorer: Scorer,
    lambdas: Sequence[float] = LAMBDAS,
    bootstrap: Bootstrap | None = None,
) -> list[dict[str, float]]:
    """One row per lambda: diversity, agreement, accuracy with interval, and its paired gain over 0.

    `accuracy_gain` is the accuracy minus that of plain p(d|E) on the same units and beams. Without
    truth the columns of accuracy are left out.
    """
    bootstrap = bootstrap or Bootstrap()
    check_same_units(beams.units, material.units, "the beams", "the units to be scored")
    beams = beams.select(material.units)
    plain = scorer.correct(rerank(beams, 0.0))
    rows = []
    for weight in lambdas:
        found = scorer.measure([rerank(beams, weight)])
        values = found.corpus | {
            name: float(array.mean()) for name, array in found.units.items() if name != ACCURACY
        }
        row = {"lambda": float(weight)}
        row |= {name: values.get(name, math.nan) for name in (*DIVERSITY, *AGREEMENT)}
        if material.truth:
            row |= _accuracy(found.units[ACCURACY], plain, bootstrap)
        else:
            row["n"] = float(len(material.units))
        rows.append(row)
    return rows


def _accuracy(correct: np.ndarray, plain: np.ndarray, bootstrap: Bootstrap) -> dict[str, float]:
    judged = correct[~np.isnan(correct)]
    low, high = bootstrap.interval(judged, ACCURACY)
    gain, gain_low, gain_high = bootstrap.paired(correct, plain, ACCURACY)
    mean = float(judged.mean()) if len(judged) else math.nan
    values = (mean, low, high, gain, gain_low, gain_high)
    return {**dict(zip(JUDGED, values, strict=True)), "n": float(len(judged))}


def write_sweep(path: Path | str, rows: Sequence[dict[str, float]]) -> None:
    """Write the rows of `sweep` as CSV."""
    if not rows:
        raise ValueError("a sweep needs at least one lambda")
    write_csv(path, list(rows[0]), [[cell(value) for value in row.values()] for row in rows])
