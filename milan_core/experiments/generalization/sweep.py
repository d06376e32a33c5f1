"""Scores of the same beams re-ranked with several lambda.

Re-ranking by log p(d|E) - lambda log p(d) (paper section 3) costs nothing, so plain p(d|E)
(lambda 0) and weighted PMI are compared on exactly the same candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from milan_core.core.files import write_csv
from milan_core.core.numbers import mean_or_nan
from milan_core.core.tables import cell
from milan_core.scoring.beams import Beams
from milan_core.scoring.scorer import ACCURACY, AGREEMENT, DIVERSITY, Scorer
from milan_core.scoring.units import check_same_units

JUDGED = (ACCURACY, "low", "high", "accuracy_gain", "gain_low", "gain_high", "gain_p")
"""Columns of a sweep that only units with ground truth have."""


def lambda_sweep(beams: Beams, scorer: Scorer, lambdas: Sequence[float]) -> list[dict[str, float]]:
    """One row per lambda: diversity, agreement, accuracy with interval, and its paired gain over 0.

    `accuracy_gain` is the accuracy minus that of plain p(d|E) on the same units and beams. Without
    ground truth the columns of accuracy are left out.
    """
    references = scorer.references
    check_same_units(beams.units, references.units, "the beams", "the units to be scored")
    beams = beams.select(references.units)
    plain = scorer.correct(beams.rerank(0.0))
    rows = []
    for weight in lambdas:
        measured = scorer.measure([beams.rerank(weight)])
        values = measured.means()
        row = {"lambda": float(weight)}
        row |= {name: values.get(name, math.nan) for name in (*DIVERSITY, *AGREEMENT)}
        if references.truth:
            row |= _accuracy(measured.units[ACCURACY], plain, scorer)
        else:
            row["n"] = float(len(references.units))
        rows.append(row)
    return rows


def _accuracy(correct: np.ndarray, plain: np.ndarray, scorer: Scorer) -> dict[str, float]:
    judged = correct[~np.isnan(correct)]
    bootstrap, clusters = scorer.bootstrap, scorer.clusters
    interval = bootstrap.interval(correct, ACCURACY, clusters=clusters)
    gain = bootstrap.paired(correct, plain, ACCURACY, clusters=clusters)
    p = bootstrap.p_value(correct, plain, ACCURACY, clusters=clusters)
    values = (mean_or_nan(judged), *interval, *gain, p)
    return {**dict(zip(JUDGED, values, strict=True)), "n": float(len(judged))}


def write_sweep(path: Path | str, rows: Sequence[dict[str, float]]) -> None:
    """Write the rows of `lambda_sweep` as CSV."""
    if not rows:
        raise ValueError("a sweep needs at least one lambda")
    write_csv(path, list(rows[0]), [[cell(value) for value in row.values()] for row in rows])
