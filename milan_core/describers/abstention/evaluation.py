"""Status and confidence of all networks of a run, each by the others, and how good they are.

A network is decided by a calibration on the annotated *other* networks, so that its own truth,
where it is known, says how often the answered units are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.numbers import mean_or_nan
from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.calibration import Annotated, Calibration, calibrate_run
from milan_core.describers.abstention.decision import Decision, decide
from milan_core.describers.abstention.reliability import (
    COVERAGES,
    accuracy_at,
    auroc,
    calibration_error,
)
from milan_core.describers.abstention.tables import (
    DECISIONS,
    Measured,
    counts_of,
    decision_cells,
)

EVERY = "all networks"
UNITS = ("layer", "unit", "description", *DECISIONS, "candidate", "right")
"""Columns of decisions.csv: a table of descriptions that abstains.

description  the text of an answered unit; empty where there is no reliable description
status       described, several, unreliable, or why the unit shows nothing
confidence   P(right), 0 to 1; 0 where the null test is not passed
likely       the texts that bootstraps choose
candidate    the text that was decided on
right        1 or 0 where the unit's concept is known and specific
"""
SHARES = ("right_all", "coverage", "right_answered", "wrong", "auroc", "ece", "shuffled")
SUMMARY = ("model", "units", "described", "several", "unreliable", "silent", "judged", *SHARES)
"""Columns of summary.csv:

described, several, unreliable   units of each status; silent: units that show nothing
judged           units whose concept is known and specific
right_all        share of the judged whose description is right
coverage         share of the judged that are answered
right_answered   share of these whose description is right
wrong            share of the judged that are answered and wrong: what the threshold bounds
auroc, ece       of the confidence over the judged
shuffled         share of all units that would be answered if the images that score were shuffled
"""
CURVE = ("model", *(f"at_{100 * share:.0f}" for share in COVERAGES))


@dataclass(frozen=True, eq=False)
class Decided:
    """One network: its evidence, the calibration by the others, and its decisions.

    `noise` are the decisions if the images that score were shuffled, `silent` the units that show
    nothing to describe, with why.
    """

    name: str
    measured: Measured
    calibration: Calibration
    decisions: list[Decision]
    noise: list[Decision]
    silent: Mapping[UnitKey, str]

    @property
    def confidence(self) -> np.ndarray:
        """Float64 [units]."""
        return np.array([one.confidence for one in self.decisions], np.float64)

    @property
    def answered(self) -> np.ndarray:
        """Bool [units]."""
        return np.array([one.answered for one in self.decisions], bool)


def decide_network(
    name: str,
    networks: Mapping[str, Measured],
    shipped: Calibration,
    alpha: float,
    silent: Mapping[UnitKey, str],
) -> Decided:
    """One network decided by the annotated others, or by `shipped` where there are none.

    Args:
        name: the network, one of `networks`.
        networks: evidence by name.
        shipped: a calibration on networks of other runs.
        alpha: share of units that may be answered wrongly.
        silent: its units that show nothing, with why.

    """
    others = {other: units for other, units in judged_units(networks).items() if other != name}
    calibration = calibrate_run(others, shipped, alpha)
    one = networks[name]
    decisions, noise = (decide(each, calibration) for each in (one.evidence, one.noise))
    return Decided(name, one, calibration, decisions, noise, dict(silent))


def judged_units(networks: Mapping[str, Measured]) -> dict[str, Annotated]:
    """The judged units of the networks that have some."""
    return {name: one.annotated() for name, one in networks.items() if np.isfinite(one.right).any()}


def unit_rows(decided: Decided) -> Iterator[list[str | float | int]]:
    """Rows of `UNITS`: units with a candidate, then those that show nothing."""
    for decision, right in zip(decided.decisions, decided.measured.right.tolist(), strict=True):
        known = "" if math.isnan(right) else int(right)
        answer = decision.text if decision.answered else ""
        yield [*decision.key, answer, *decision_cells(decision), decision.text, known]
    for key, status in decided.silent.items():
        yield [*key, "", status, 0.0, "", "", ""]


def summary_rows(decided: Sequence[Decided], beside: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows of `SUMMARY`: all annotated networks together, then each network.

    Args:
        decided: all networks.
        beside: those that are no part of the first row.

    """
    together = [one for one in decided if one.name not in beside and _judged(one).any()]
    return [_summary(EVERY, together), *(_summary(one.name, [one]) for one in decided)]


def _judged(one: Decided) -> np.ndarray:
    return np.isfinite(one.measured.right)


def _summary(name: str, parts: Sequence[Decided]) -> dict[str, Any]:
    confidence, right, answered = _joined(parts)
    every = [decision for one in parts for decision in one.decisions]
    shuffled = np.array([decision.answered for one in parts for decision in one.noise], bool)
    shares = {
        "right_all": mean_or_nan(right),
        "coverage": mean_or_nan(answered),
        "right_answered": mean_or_nan(right[answered]),
        "wrong": mean_or_nan(answered & (right == 0)),
        "auroc": auroc(confidence, right),
        "ece": calibration_error(confidence, right),
        "shuffled": mean_or_nan(shuffled),
    }
    return {
        "model": name,
        "units": len(every) + sum(len(one.silent) for one in parts),
        **counts_of(every),
        "silent": sum(len(one.silent) for one in parts),
        "judged": len(right),
        **{key: cell(round(value, 6)) for key, value in shares.items()},
    }


def _joined(parts: Sequence[Decided]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, right and answered of the judged units."""
    empty = [np.zeros(0)]
    judged = [_judged(one) for one in parts]
    pairs = list(zip(parts, judged, strict=True))
    return (
        np.concatenate([one.confidence[known] for one, known in pairs] or empty),
        np.concatenate([one.measured.right[known] for one, known in pairs] or empty),
        np.concatenate([one.answered[known] for one, known in pairs] or empty).astype(bool),
    )


def curve_rows(decided: Sequence[Decided]) -> list[list[str | float]]:
    """Rows of `CURVE`: share right among the most confident judged units, at each coverage."""
    rows: list[list[str | float]] = []
    for one in decided:
        confidence, right, _ = _joined([one])
        if len(right):
            shares = [accuracy_at(confidence, right, share) for share in COVERAGES]
            rows.append([one.name, *(round(share, 6) for share in shares)])
    return rows
