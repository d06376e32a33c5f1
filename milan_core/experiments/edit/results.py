"""Accuracies before and after an editing, and their differences, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from milan_core.experiments.edit import orders
from milan_core.scoring.bootstrap import Bootstrap

CLEAN, CORRECT, ADVERSARIAL = TESTS = ("test-clean", "test-correct", "test-adversarial")
BEFORE = "before"
Right = Mapping[str, Mapping[str, np.ndarray]]  # by condition and split, float64 [draws, images]


def results(right: Right, counts: Mapping[str, int], bootstrap: Bootstrap) -> dict[str, Any]:
    """Accuracies before and after, gains, and what text-sorted has over every other condition.

    The drawn controls have as many units as `text-sorted`. Intervals are over test images, and for
    these controls over their draws as well; the units of `orders.LAYER` are all that there are, so
    they are no draws. `rank` is the place of text-sorted by accuracy on wrong text among itself and
    the draws of a control, ties against it.
    """
    before = right[BEFORE]
    every = {condition: rows for condition, rows in right.items() if condition != BEFORE}
    after = every | {
        name: {split: rows.mean(axis=0, keepdims=True) for split, rows in every[name].items()}
        for name in (orders.LAYER,)
        if name in every
    }

    def figure(split: str, ours: np.ndarray, theirs: np.ndarray | None = None) -> dict[str, float]:
        found = bootstrap.crossed(ours, theirs, split)
        return dict(zip(("value", "low", "high"), found, strict=True))

    conditions = {
        condition: {
            "n": counts[condition],
            "after": {split: figure(split, rows[split]) for split in TESTS},
            "gain": {split: figure(split, rows[split], before[split]) for split in TESTS},
        }
        for condition, rows in after.items()
    }
    ours = after[orders.TEXT][ADVERSARIAL]
    return {
        "before": {split: figure(split, before[split]) for split in TESTS},
        "conditions": conditions,
        "text_less": {
            condition: figure(ADVERSARIAL, ours, rows[ADVERSARIAL])
            for condition, rows in after.items()
            if condition != orders.TEXT
        },
        "rank": {
            condition: rank(ours.mean(), rows[ADVERSARIAL].mean(axis=1))
            for condition, rows in every.items()
            if condition in (*orders.DRAWN, orders.LAYER)
        },
    }


def rank(ours: float, draws: np.ndarray) -> dict[str, int]:
    """Place of an accuracy among itself and those of `draws`, best first, ties against it."""
    return {"rank": 1 + int((draws >= ours).sum()), "of": 1 + len(draws)}
