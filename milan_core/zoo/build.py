"""The zoo's network and images in memory, for studies and for files."""

from __future__ import annotations

import numpy as np

from milan_core.zoo.expressions import Atom, parse_expression
from milan_core.zoo.units import LAYERS, THINGS, planted_units
from milan_core.zoo.weights import tensors


def zoo_tensors() -> dict[str, np.ndarray]:
    """Weights of the network of `planted_units`."""
    kinds = [kind for kind in map(parse_expression, THINGS) if isinstance(kind, Atom)]
    units = [unit.expression for unit in planted_units() if unit.key[0] == LAYERS[-1]]
    return tensors(kinds, units)
