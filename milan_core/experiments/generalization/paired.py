"""Captioners compared on the same units: those that `within` kept for its test.

The cost of training elsewhere is the paired difference of their accuracies, within - here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milan_core.core.numbers import number
from milan_core.core.tables import Row, cell
from milan_core.core.units import UnitKey
from milan_core.experiments.generalization.options import UNMASKED, WITHIN
from milan_core.experiments.generalization.overlap import Known
from milan_core.experiments.generalization.tables import NAMES
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.tables import Truth
from milan_core.scoring.units import rows_of
from milan_core.scoring.verdicts import holm

PAIRED = (
    *NAMES, "trials", "within", "here", "cost", "low", "high", "p", "holm", "units", "concepts",
    *(f"{name}_apart" for name in ("within", "here", "cost", "low", "high", "units")),
)  # fmt: skip
Overlaps = Mapping[tuple[str, str], Mapping[UnitKey, Known]]  # by split and described network


def paired_costs(
    groups: Mapping[tuple[str, str, str], Sequence[Trial]],
    truth: Mapping[str, Mapping[UnitKey, Truth]],
    bootstrap: Bootstrap,
    known: Overlaps,
) -> list[Row]:
    """The cost of training elsewhere, on the very units that `within` was tested on.

    One row per group but the within-network ones and those without masks: mean accuracies over
    trials of both captioners, and the paired difference within - here with its interval over
    concepts (and over trials where there are several), its p, and that adjusted (Holm). Units
    without a specific concept are not judged, and no unit of an annotation set is. The columns
    `_apart` are of the units that have no near-duplicate in the training of the within-network
    captioner.
    """
    inside = {key[2]: group for key, group in groups.items() if key[0] == WITHIN}
    rows: list[dict[str, Any]] = []
    for key, group in groups.items():
        experiment, _, test = key
        if experiment in (WITHIN, UNMASKED) or test not in inside or test not in truth:
            continue
        units = inside[test][0].tested
        within, here = (correct(side, units, truth[test]) for side in (inside[test], group))
        figures = cost_figures(within, here, [truth[test][key].concept for key in units], bootstrap)
        row = dict.fromkeys(PAIRED, "") | dict(zip(NAMES, key, strict=True)) | figures
        row["trials"] = len(group)
        seen = known.get((inside[test][0].facts.split, test), {})
        apart = np.array([unit in seen and not seen[unit].duplicate for unit in units])
        if apart.any():  # sentences and pages leave fewer than ten units out
            concepts = [
                truth[test][k].concept for k, kept in zip(units, apart, strict=True) if kept
            ]
            figures = cost_figures(within[:, apart], here[:, apart], concepts, bootstrap)
            row |= {f"{n}_apart": v for n, v in figures.items() if f"{n}_apart" in PAIRED}
        rows.append(row)
    adjust(rows, "p", "holm")
    return [{name: row[name] for name in PAIRED} for row in rows]


def cost_figures(
    within: np.ndarray, here: np.ndarray, concepts: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Columns of `PAIRED` from right answers float64 [trials, units] of both captioners."""
    judged = ~np.isnan(within[0])
    clusters = np.unique(concepts, return_inverse=True)[1]
    sides = [side.mean(axis=0) for side in (within, here)]
    cost = bootstrap.crossed(within, here, "transfer", clusters=clusters)
    p = bootstrap.crossed_p(within, here, "transfer", clusters=clusters)
    means = [float(side[judged].mean()) if judged.any() else math.nan for side in sides]
    names = ("within", "here", "cost", "low", "high", "p")
    figures: dict[str, Any] = dict(zip(names, map(cell, (*means, *cost, p)), strict=True))
    return figures | {"units": int(judged.sum()), "concepts": len(np.unique(clusters[judged]))}


def correct(
    group: Sequence[Trial], units: Sequence[UnitKey], truth: Mapping[UnitKey, Truth]
) -> np.ndarray:
    """Whether each trial names the concept of each unit, NaN without one: [trials, units]."""
    rows = []
    for trial in group:
        what = f"descriptions of {trial.facts.test!r} by split {trial.facts.split!r}"
        texts = rows_of(units, trial.descriptions, what, "the compared units")
        rows.append(
            [
                float(truth[key].named_by(text)) if truth[key].specific else math.nan
                for key, text in zip(units, texts, strict=True)
            ]
        )
    return np.array(rows)


def adjust(rows: Sequence[dict[str, Any]], column: str, adjusted: str) -> None:
    """Fill the column of p values that Holm adjusted over all rows."""
    for row, p in zip(rows, holm([number(row[column]) for row in rows]), strict=True):
        row[adjusted] = cell(p)
