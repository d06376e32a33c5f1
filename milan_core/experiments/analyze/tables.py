"""Tables over networks: areas and tests, correlations with importance, shares per layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.numbers import finite, number
from milan_core.core.tables import cell
from milan_core.experiments.analyze.curves import (
    Comparison,
    area,
    compare,
    compare_matched,
)
from milan_core.experiments.analyze.importance import correlate
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.verdicts import FEWEST, holm

Row = dict[str, Any]
CRITERION, RANDOM, MATCHED = "criterion", "random", "layer_matched"  # kinds of orders
SUMMARY = (
    "model",
    "criterion",
    "group",
    "matching",
    "area",
    "area_low",
    "area_high",
    *(
        f"{control}_{column}"
        for control in (RANDOM, MATCHED)
        for column in ("area", "difference", "low", "high", "p", "outlier_p", "worse", "seen")
    ),
    f"{RANDOM}_p_holm",
    "matched_p_holm",
    "paired_p_holm",
)
FAMILIES = {
    f"{RANDOM}_p_holm": f"{RANDOM}_outlier_p",
    "matched_p_holm": f"{MATCHED}_outlier_p",
    "paired_p_holm": f"{MATCHED}_p",
}
"""Adjusted columns and their p: one family each, all criteria of all networks."""
CORRELATIONS = (
    "model",
    "criterion",
    "overall",
    "overall_low",
    "overall_high",
    "within",
    "within_low",
    "within_high",
)
SHARES = ("model", "layer", "criterion", "group", "units", "matching", "share", "low", "high")


@dataclass(frozen=True)
class Analysis:
    """The files of one network, read."""

    model: str
    curves: dict[tuple[str, str], np.ndarray]  # (criterion, order) -> accuracy (trials, steps)
    fractions: list[float]
    layers: np.ndarray  # per unit
    importance: np.ndarray  # per unit: accuracy lost without it
    groups: dict[str, str]  # criterion -> group, in the order of the files
    scores: dict[str, np.ndarray]  # criterion -> score per unit
    matches: dict[str, np.ndarray]  # criterion -> bool per unit
    accuracy: float  # with nothing ablated

    @property
    def random(self) -> np.ndarray:
        """Accuracies of the random orders, (trials, steps)."""
        return self.curves[RANDOM, RANDOM]


def read_analysis(model: str, ablation: Path, importance: Path, criteria: Path) -> Analysis:
    """Read the files of one network; refuses files of different units."""
    curves, fractions = _read_curves(ablation)
    losses = read_csv(importance, ["layer", "unit", "accuracy", "importance"])
    units = [(row["layer"], row["unit"]) for row in losses]
    rows: dict[str, list[dict[str, str]]] = {}
    for row in read_csv(criteria, ["layer", "unit", "criterion", "score"]):
        rows.setdefault(row["criterion"], []).append(row)
    for name, part in rows.items():
        if [(row["layer"], row["unit"]) for row in part] != units:
            raise UserError(
                f"{criteria}: units of {name!r} differ from those of {importance}; run the "
                "analysis of this network again"
            )
    return Analysis(
        model,
        curves,
        fractions,
        np.array([layer for layer, _ in units]),
        np.array([float(row["importance"]) for row in losses]),
        {name: part[0]["group"] for name, part in rows.items()},
        {name: np.array([float(row["score"]) for row in part]) for name, part in rows.items()},
        {name: np.array([row["matches"] == "1" for row in part]) for name, part in rows.items()},
        _whole(curves, fractions, losses),
    )


def _whole(
    curves: Mapping[tuple[str, str], np.ndarray],
    fractions: Sequence[float],
    losses: Sequence[Mapping[str, str]],
) -> float:
    """Accuracy with nothing ablated: where curves begin, or else what single units are less."""
    if fractions[0] == 0:
        return float(curves[RANDOM, RANDOM][0, 0])
    return finite(losses[0]["accuracy"]) + finite(losses[0]["importance"]) if losses else math.nan


def _read_curves(path: Path) -> tuple[dict[tuple[str, str], np.ndarray], list[float]]:
    trials: dict[tuple[str, str], dict[int, list[tuple[float, float]]]] = {}
    required = ["criterion", "order", "trial", "fraction", "accuracy"]
    for row in read_csv(path, required):
        points = trials.setdefault((row["criterion"], row["order"]), {})
        point = finite(row["fraction"]), finite(row["accuracy"])
        points.setdefault(int(row["trial"]), []).append(point)
    fractions = {
        tuple(x for x, _ in points) for part in trials.values() for points in part.values()
    }
    if (RANDOM, RANDOM) not in trials or len(fractions) != 1:
        raise UserError(f"{path}: no random orders, or curves of different fractions; run it again")
    if len(trials[RANDOM, RANDOM]) < 2:
        raise UserError(f"{path}: one random order, at least two are needed; run it again")
    curves = {
        key: np.array([[y for _, y in points] for _, points in sorted(part.items())])
        for key, part in trials.items()
    }
    return curves, list(fractions.pop())


def summary_rows(analysis: Analysis, bootstrap: Bootstrap) -> list[Row]:
    """One row per criterion: its area, and how it compares with random orders of both kinds."""
    rows = []
    for name, group in analysis.groups.items():
        row: Row = dict.fromkeys(SUMMARY, "")
        row |= {"model": analysis.model, "criterion": name, "group": group}
        row["matching"] = int(analysis.matches[name].sum())
        if (name, CRITERION) in analysis.curves:
            ours = area(analysis.fractions, analysis.curves[name, CRITERION])
            low, high = bootstrap.interval(ours, analysis.model, name)
            row |= {"area": float(ours.mean()), "area_low": low, "area_high": high}
            if len(ours) == 1:  # equal scores in the published order: nothing to resample
                row |= {"area_low": "", "area_high": ""}
            for control, curves, compared in (
                (RANDOM, analysis.random, compare),
                (MATCHED, analysis.curves[name, MATCHED], compare_matched),
            ):
                theirs = area(analysis.fractions, curves)
                row[f"{control}_area"] = float(theirs.mean())
                row |= _prefixed(control, compared(ours, theirs))
        rows.append(row)
    return rows


def adjust(rows: Sequence[Row]) -> None:
    """Fill the adjusted p of all networks' rows; undefined ones are empty."""
    tested = [row for row in rows if row["area"] != ""]
    for column, plain in FAMILIES.items():
        for row, p in zip(tested, holm([number(row[plain]) for row in tested]), strict=True):
            row[column] = cell(p)


def _prefixed(control: str, against: Comparison) -> Row:
    return {
        f"{control}_difference": against.difference,
        f"{control}_low": against.low,
        f"{control}_high": against.high,
        f"{control}_p": cell(against.p),
        f"{control}_outlier_p": cell(against.outlier_p),
        f"{control}_seen": cell(against.seen),
        f"{control}_worse": against.share_worse,
    }


def correlation_rows(analysis: Analysis, seed: int) -> list[Row]:
    """One row per criterion that tells units apart: rank correlation with importance."""
    rows = []
    for name, scores in analysis.scores.items():
        if np.ptp(scores) > 0:
            names = (analysis.model, name)
            layers = analysis.layers.tolist()
            correlation = correlate(scores, analysis.importance, layers, seed, *names)
            rows.append({"model": analysis.model, "criterion": name, **vars(correlation)})
    return rows


def share_rows(analysis: Analysis, bootstrap: Bootstrap) -> list[Row]:
    """One row per layer and criterion: the share of its units that match, of ten or more."""
    rows = []
    for name, group in analysis.groups.items():
        for layer in dict.fromkeys(analysis.layers.tolist()):
            matches = analysis.matches[name][analysis.layers == layer].astype(float)
            low, high = bootstrap.interval(matches, analysis.model, name, layer)
            enough = len(matches) >= FEWEST
            rows.append(
                {
                    "model": analysis.model,
                    "layer": layer,
                    "criterion": name,
                    "group": group,
                    "units": len(matches),
                    "matching": int(matches.sum()),
                    "share": float(matches.mean()) if enough else "",
                    "low": low if enough else "",
                    "high": high if enough else "",
                }
            )
    return rows


def cells(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """Rows as lists in the order of `columns`."""
    return [[row[column] for column in columns] for row in rows]
