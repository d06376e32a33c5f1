"""The zoo's network in memory, for studies and for files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milan_core.world.zoo.expressions import Atom, parse_expression
from milan_core.zoo.units import LAYERS, THINGS, planted_units
from milan_core.zoo.weights import tensors

if TYPE_CHECKING:
    from milan_core.zoo.network import ZooNetwork


def zoo_tensors() -> dict[str, np.ndarray]:
    """Weights of the network of `planted_units`."""
    kinds = [kind for kind in map(parse_expression, THINGS) if isinstance(kind, Atom)]
    units = [unit.expression for unit in planted_units() if unit.key[0] == LAYERS[-1]]
    return tensors(kinds, units)


def zoo_network() -> ZooNetwork:
    """The network of `planted_units`, as entries of `model_zoo` name it."""
    import torch

    from milan_core.zoo.network import ZooNetwork

    arrays = zoo_tensors()
    return ZooNetwork({name: torch.from_numpy(array) for name, array in arrays.items()}).eval()
