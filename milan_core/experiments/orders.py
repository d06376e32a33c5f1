"""Orders in which units are ablated: by a score, at random, and at random layer by layer.

Units are named by their indices. Every random order takes a seed and the names of its stream of
random numbers (`core.seeding.generator`): the same names give the same order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.core.seeding import generator


def by_score(scores: np.ndarray, seed: int, *stream: object) -> np.ndarray:
    """Unit indices by descending score, equal scores in random order; int64 (units,)."""
    shuffled = generator(seed, *stream).permutation(len(scores))
    return shuffled[np.argsort(-scores[shuffled], kind="stable")]


def by_score_and_index(scores: np.ndarray) -> np.ndarray:
    """Unit indices by descending score, equal scores by index; int64 (units,).

    As published, early layers thus come first among equal scores (spec 5.3); with counts, most
    scores are equal.
    """
    return np.argsort(-scores, kind="stable")


def random_order(units: int, seed: int, *stream: object) -> np.ndarray:
    """All unit indices in random order; int64 (units,)."""
    return generator(seed, *stream).permutation(units)


def layer_matched(
    order: Sequence[int], layers: Sequence[str], seed: int, *stream: object
) -> np.ndarray:
    """A random order that has, at every position, a unit of the same layer as `order` has there.

    Units of a layer are drawn without replacement, so the first n units of the result are as many
    of each layer as the first n of `order`.

    Args:
        order: unit indices, all of them or some, each once.
        layers: the layer of every unit.
        seed: of the run.
        stream: names of the stream of random numbers.

    Returns:
        int64 (len(order),).

    """
    of_unit = np.asarray(layers)
    of_position = of_unit[np.asarray(order, dtype=np.int64)]
    rng = generator(seed, *stream)
    matched = np.empty(len(of_position), dtype=np.int64)
    for layer in dict.fromkeys(of_position.tolist()):
        positions = of_position == layer
        matched[positions] = rng.permutation(np.flatnonzero(of_unit == layer))[: positions.sum()]
    return matched
