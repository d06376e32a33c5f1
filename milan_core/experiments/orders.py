"""Random orders of units that match another order layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def layer_matched(
    order: Sequence[int], layers: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """Random units in the places of `order`, each of the same layer as the unit it stands for.

    `order` holds places of units, all of them or some, `layers` the layer of every unit. Drawn
    without replacement: any first n units of the result, int64 [len(order)], come from the layers
    in the same numbers as the first n of `order`; only which units of a layer they are is random.
    """
    of_unit = np.asarray(layers)
    of_place = of_unit[np.asarray(order, dtype=np.int64)]
    matched = np.empty(len(of_place), dtype=np.int64)
    for layer in dict.fromkeys(of_place.tolist()):
        places = of_place == layer
        matched[places] = rng.permutation(np.flatnonzero(of_unit == layer))[: places.sum()]
    return matched
