"""Groups of units that are no independent observations, by the exemplars that they share.

Layers that add to one residual stream show the same channel again, and channels of one concept
share their pictures. Two units belong together when they are one channel of a stream, or when they
share a third or more of their exemplars.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from milan_core.core.units import UnitKey

THIRD = 1 / 3
STREAM = 0.1
"""Least mean share of exemplars of equal channels in two layers of one stream."""
APART = 5.0
"""The smallest ratio to the overlap of unequal channels."""
Ids = Mapping[str, np.ndarray]


def shared(left: np.ndarray, right: np.ndarray) -> int:
    """Count the exemplars that two units share; ids int64 [k], -1 for none."""
    return len(np.intersect1d(left[left >= 0], right[right >= 0]))


def streams(ids: Ids) -> dict[str, str]:
    """The first layer of the residual stream of each layer (itself where it has none).

    Two layers are of one stream when they are as wide and their equal channels share far more
    exemplars than their others do. `ids` are int64 [units, k] by layer.
    """
    first = {layer: layer for layer in ids}
    for one, two in combinations(ids, 2):
        alike = ids[one].shape == ids[two].shape
        if alike and first[two] == two and _one_stream(ids[one], ids[two]):
            first[two] = first[one]
    return first


def _one_stream(one: np.ndarray, two: np.ndarray) -> bool:
    units, k = one.shape
    where: dict[int, list[int]] = defaultdict(list)
    for unit, row in enumerate(two.tolist()):
        for image in set(row) - {-1}:
            where[image].append(unit)
    equal = other = 0
    for unit, row in enumerate(one.tolist()):
        for image in set(row) - {-1}:
            equal += unit in where[image]
            other += len(where[image]) - (unit in where[image])
    if units < 2:
        return False
    share, rest = equal / (units * k), other / (units * (units - 1) * k)
    return share >= STREAM and share >= APART * rest


def unit_groups(ids: Ids, share: float = THIRD) -> dict[UnitKey, int]:
    """The group of every unit, numbered from 0 in the order of the units.

    Channels of one stream are one group. Of the rest a unit joins the group with whose first unit
    it shares most exemplars, if these are `share` or more of its k; ties: the earlier group. So
    every unit shares that much with the first of its group, and groups do not chain.

    Args:
        ids: exemplars of each layer, int64 [units, k], -1 for none; all layers have one k.
        share: of the exemplars, in (0, 1].

    """
    stream = streams(ids)
    leaders: dict[int, list[int]] = defaultdict(list)  # groups by the images of their first unit
    channels: dict[tuple[str, int], int] = {}
    groups: dict[UnitKey, int] = {}
    count = 0
    for layer, rows in ids.items():
        least = max(1, math.ceil(share * rows.shape[1] - 1e-9))
        for unit, row in enumerate(rows.tolist()):
            images = sorted(set(row) - {-1})
            channel = (stream[layer], unit)
            group = channels.get(channel)
            if group is None:
                times = Counter(group for image in images for group in leaders[image])
                best = min(times.items(), key=lambda item: (-item[1], item[0]), default=(0, 0))
                group = best[0] if best[1] >= least else count
            if group == count:
                count += 1
                for image in images:
                    leaders[image].append(group)
            channels.setdefault(channel, group)
            groups[layer, unit] = group
    return groups


def distinct(units: Sequence[UnitKey], groups: Mapping[UnitKey, int]) -> int:
    """Count the groups that `units` belong to."""
    return len({groups[key] for key in units})
