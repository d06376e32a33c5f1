"""Captioners that learned under masks beside those that learned from whole images.

A captioner that is shown whole images after it learned under masks says nothing about masks: it
never saw such features. The comparison needs one that was trained without masks (`unmasked`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.numbers import number
from milan_core.core.tables import Row, cell
from milan_core.core.units import UnitKey
from milan_core.experiments.generalization.options import HELD_OUT, UNMASKED
from milan_core.experiments.generalization.paired import correct, cost_figures
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.tables import Truth
from milan_core.scoring.verdicts import FEWEST, Difference, holm, p_text, part_of, power_text

COLUMNS = (
    "test", "trials", "masks", "whole", "gain", "low", "high", "p", "holm", "units", "concepts",
)  # fmt: skip


def mask_rows(
    trials: Sequence[Trial], truth: Mapping[str, Mapping[UnitKey, Truth]], bootstrap: Bootstrap
) -> list[Row]:
    """One row per network that both kinds of captioners describe: what masks gain in accuracy.

    Intervals draw concepts, and trials where there are several; Holm adjusts over the rows.
    """
    by_kind: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        by_kind.setdefault((trial.facts.experiment, trial.facts.test), []).append(trial)
    rows: list[dict[str, Any]] = []
    for (experiment, test), group in by_kind.items():
        masked = by_kind.get((HELD_OUT, test))
        if experiment != UNMASKED or masked is None or test not in truth:
            continue
        units, known = masked[0].tested, truth[test]
        concepts = [known[key].concept for key in units]
        ours, theirs = (correct(side, units, known) for side in (masked, group))
        found = cost_figures(ours, theirs, concepts, bootstrap)
        names = {"within": "masks", "here": "whole", "cost": "gain"}
        row = {names.get(name, name): value for name, value in found.items()}
        rows.append({"test": test, "trials": len(group), **row})
    for row, p in zip(rows, holm([number(row["p"]) for row in rows]), strict=True):
        row["holm"] = cell(p)
    return [{name: row[name] for name in COLUMNS} for row in rows]


def masks_sentence(rows: Sequence[Row]) -> str:
    """Whether masks matter, from captioners that were trained with and without them."""
    if not rows:
        return ""
    verdicts = {1: "masks clearly help", -1: "masks clearly hurt", 0: "not told apart"}
    gains = [
        Difference(*(number(row[name]) for name in ("gain", "low", "high", "p", "holm")))
        for row in rows
    ]
    parts = [
        f"{row['test']} {part_of(number(row['masks']), int(row['units']))} under masks, "
        f"{part_of(number(row['whole']), int(row['units']))} from whole images"
        f"{_few(int(row['units']))} ({verdicts[gain.side]}, {p_text(gain.adjusted)})"
        for row, gain in zip(rows, gains, strict=True)
    ]
    power = power_text(gains)
    return (
        "Captioners of the same units, one trained and describing under masks, one trained and "
        f"describing without: {'; '.join(parts)}{'; ' * bool(power)}{power}."
    )


def _few(units: int) -> str:
    """The number of units where counts stand for shares."""
    return f", of {units} units" if units < FEWEST else ""
