"""Orders in which units are ablated: by a criterion, at random, and at random layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.core.seeding import generator
from milan_core.experiments.orders import layer_matched

CRITERION, RANDOM, MATCHED = "criterion", "random", "layer_matched"


def by_score(scores: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Places of units by descending score; equal scores in random order. int64 (n,).

    `by_place` is the published order of equal scores.
    """
    shuffled = generator(seed, "ties", *names).permutation(len(scores))
    return shuffled[np.argsort(-scores[shuffled], kind="stable")]


def by_place(scores: np.ndarray) -> np.ndarray:
    """Places of units by descending score; equal scores as they come. int64 (n,).

    As published, early layers thus come first among equal scores (spec 5.3); with counts, most
    scores are equal.
    """
    return np.argsort(-scores, kind="stable")


def at_random(count: int, seed: int, *names: object) -> np.ndarray:
    """All places in random order, int64 (count,)."""
    return generator(seed, "random order", *names).permutation(count)


def matched_to(order: np.ndarray, layers: Sequence[str], seed: int, *names: object) -> np.ndarray:
    """All units in a random order that matches `order` layer by layer (`layer_matched`)."""
    return layer_matched(order.tolist(), layers, generator(seed, "layer-matched order", *names))


def steps_of(fractions: Sequence[float], units: int) -> list[int]:
    """Numbers of units for shares of them, rounded down as published (spec 5.3)."""
    # A share such as 0.29 of 100 must not lose a unit to binary fractions.
    return [int(fraction * units + 1e-9) for fraction in fractions]
