"""Which units the editing ablates, in which order: the chosen ones and the controls (section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.experiments.orders import layer_matched, random_order

TEXT, TRUTH, ALL, OTHERS, RANDOM, MATCHED, SHUFFLED, LAYER = (
    "text-sorted",
    "truth-sorted",
    "all-sorted",
    "sorted, not text",
    "random",
    "layer-matched random",
    "text, unsorted",
    "each other unit of the layer",
)
SORTED, DRAWN = (TEXT, TRUTH, ALL, OTHERS), (RANDOM, MATCHED, SHUFFLED)
CONDITIONS = (*SORTED, *DRAWN, LAYER)
"""`OTHERS` are ranked like the text units and described as something else: what the ranking finds
alone. `SHUFFLED` are text units in random orders: what the descriptions find alone. `LAYER` is
there where one unit is removed: every other unit of its layer, so that its rank is exact."""


def by_importance(units: Sequence[int], accuracy: np.ndarray, seed: int) -> np.ndarray:
    """Unit indices `units` by the accuracy without each, highest first: least important first.

    Ties are broken at random, by the seed and the unit's index alone, so that early layers win
    none. int64 (len(units),).
    """
    tie_ranks = generator(seed, "ties").permutation(len(accuracy))
    chosen = np.asarray(units, dtype=np.int64)
    return chosen[np.lexsort((tie_ranks[chosen], -accuracy[chosen]))]


def random_orders(units: int, length: int, draws: int, seed: int) -> np.ndarray:
    """Orders int64 [draws, length] of units drawn without replacement."""
    orders = [random_order(units, seed, RANDOM, draw)[:length] for draw in range(draws)]
    return np.array(orders, dtype=np.int64).reshape(draws, length)


def matched_orders(
    order: Sequence[int], units: Sequence[UnitKey], draws: int, seed: int
) -> np.ndarray:
    """Orders int64 [draws, len(order)] that match `order` layer by layer (`layer_matched`)."""
    layers = [layer for layer, _ in units]
    orders = [layer_matched(order, layers, seed, MATCHED, draw) for draw in range(draws)]
    return np.array(orders, dtype=np.int64).reshape(draws, len(order))


def shuffled_orders(text: Sequence[int], length: int, draws: int, seed: int) -> np.ndarray:
    """The text units in random orders, cut to `length`: int64 [draws, length]."""
    chosen = np.asarray(text, dtype=np.int64)
    orders = [
        chosen[random_order(len(text), seed, SHUFFLED, draw)[:length]] for draw in range(draws)
    ]
    return np.array(orders, dtype=np.int64).reshape(draws, length)


def others_of_layer(unit: int, units: Sequence[UnitKey]) -> np.ndarray:
    """Every other unit of the layer of `unit`, one a row: int64 [units of the layer - 1, 1]."""
    layer = units[unit][0]
    rest = [index for index, key in enumerate(units) if key[0] == layer and index != unit]
    return np.array(rest, dtype=np.int64)[:, None]


def choose_count(steps: Sequence[int], clean: Sequence[float], adversarial: Sequence[float]) -> int:
    """The number of units with the best mean of both accuracies; the smaller of equal ones."""
    means = (np.asarray(clean) + np.asarray(adversarial)) / 2
    return int(steps[int(means.argmax())])


def all_orders(
    text: Sequence[int],
    truth: Sequence[int] | None,
    accuracy: np.ndarray,
    units: Sequence[UnitKey],
    longest: int,
    draws: int,
    seed: int,
) -> Mapping[str, np.ndarray]:
    """Orders int64 [draws or 1, n] by condition.

    `text` and `truth` are indices of the units chosen by description and by ground truth (None:
    unknown); controls are as long as the first. `accuracy` [units] is that without each unit;
    `longest` the largest number that is ever ablated.
    """
    chosen = by_importance(text, accuracy, seed)[:longest]
    orders = {TEXT: chosen[None]}
    if truth is not None:
        orders[TRUTH] = by_importance(truth, accuracy, seed)[None, :longest]
    orders[ALL] = by_importance(range(len(units)), accuracy, seed)[None, : len(chosen)]
    others = sorted(set(range(len(units))) - set(text))
    orders[OTHERS] = by_importance(others, accuracy, seed)[None, : len(chosen)]
    orders[RANDOM] = random_orders(len(units), len(chosen), draws, seed)
    orders[MATCHED] = matched_orders(chosen.tolist(), units, draws, seed)
    orders[SHUFFLED] = shuffled_orders(text, len(chosen), draws, seed)
    return orders
