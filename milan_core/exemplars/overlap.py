"""The share of a tested unit's exemplars that a captioner saw in training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.exemplars.groups import THIRD, unit_groups

Ids = Mapping[str, np.ndarray]  # exemplars of each layer, int64 [units, k], -1 for none
Trained = tuple[str, UnitKey]  # network, unit


class Overlap(NamedTuple):
    """The overlap of training with one tested unit.

    Attributes:
        seen: share of its exemplars that some training unit has as well.
        nearest: largest share that a single training unit has, and which unit that is.
        related: whether that is a third or more, or a training unit is of the same group.
        duplicate: whether that is two thirds or more: nearly the same pictures.

    """

    seen: float
    nearest: float
    unit: Trained | None
    related: bool
    duplicate: bool


def overlaps(
    model: str,
    tested: Sequence[UnitKey],
    own: Ids,
    learned: Mapping[str, Ids],
    training: Sequence[Trained],
) -> dict[UnitKey, Overlap]:
    """Overlap of each of `tested` units of `model` with the training units.

    `own` are the exemplars that are described, `learned` those that the captioner learned from, of
    the networks that were probed with the same images; a captioner of another run may know `model`
    by other exemplars. Training units of other networks share nothing. Ties: the earlier one.
    """
    known = [unit for unit in training if unit[0] in learned]
    where: dict[int, list[int]] = defaultdict(list)
    for place, (name, (layer, unit)) in enumerate(known):
        for image in set(learned[name][layer][unit].tolist()) - {-1}:
            where[image].append(place)
    groups = unit_groups(own)
    trained_groups = {groups[key] for name, key in known if name == model}
    found = {}
    for key in tested:
        images = set(own[key[0]][key[1]].tolist()) - {-1}
        times = Counter(place for image in images for place in where.get(image, ()))
        best, most = min(times.items(), key=lambda item: (-item[1], item[0]), default=(-1, 0))
        count = max(1, len(images))
        seen = sum(image in where for image in images) / count
        nearest, closest = most / count, known[best] if most else None
        related = nearest >= THIRD - 1e-9 or groups[key] in trained_groups
        found[key] = Overlap(seen, nearest, closest, related, nearest >= 2 * THIRD - 1e-9)
    return found
