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
    these controls over their draws as well.
    """
    before = right[BEFORE]
    after = {condition: rows for condition, rows in right.items() if condition != BEFORE}

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
    }
