"""References: what the descriptions of some units are scored against.

The tables are joined in one order of units. Tables of different units are refused: they would be
files of different networks or runs. Units of an annotation set have texts and no ground truth.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.annotations.records import read_unit_groups, read_unit_texts
from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.scoring.tables import TEST, Truth, read_truth, read_units
from milan_core.scoring.units import check_same_units, example


@dataclass(frozen=True)
class References:
    """Texts and ground truth of some units; every tuple has one entry per unit.

    `texts` is empty where there is no annotation, `truth` where no concept is known, `groups` where
    every unit is an observation of its own.
    """

    units: tuple[UnitKey, ...]
    texts: tuple[tuple[str, ...], ...] = ()
    truth: tuple[Truth, ...] = ()
    groups: tuple[int, ...] = ()

    @property
    def clusters(self) -> np.ndarray:
        """The cluster of each unit, int64 [units]: units of one concept where it is known.

        Units without a specific concept go by their group: channels of one residual stream, and
        units that share a third of their exemplars.
        """
        names: list[Hashable] = list(self.groups or self.units)
        for place, truth in enumerate(self.truth):
            if truth.specific:
                names[place] = truth.concept
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.int64)

    @property
    def layers(self) -> list[str]:
        """The layer of each unit."""
        return [layer for layer, _ in self.units]

    def ordered(self, table: Mapping[UnitKey, str], what: str = "descriptions") -> list[str]:
        """The texts of `table` in the order of the units; refuses a table of other units."""
        check_same_units(table.keys(), self.units, what, "the units to be scored")
        return [table[key] for key in self.units]


@dataclass(frozen=True)
class Training:
    """Annotations and ground truth of the units that a captioner was trained on."""

    captions: Sequence[str]
    truth: Sequence[Truth] = ()


def join(
    annotations: Mapping[UnitKey, tuple[str, ...]],
    truth: Mapping[UnitKey, Truth] | None,
    units: Sequence[UnitKey] | None = None,
    groups: Mapping[UnitKey, int] | None = None,
) -> References:
    """Annotations and, where it is known, truth of `units` (default: all, in the order of it)."""
    if truth is not None:
        check_same_units(annotations, truth, "the annotations", "the truth table")
    order = tuple(truth or annotations) if units is None else tuple(units)
    if unknown := set(order) - annotations.keys():
        raise UserError(
            f"{example(unknown)} of the units to be scored have no annotation; "
            "descriptions and annotations come from different models or runs"
        )
    texts = tuple(annotations[key] for key in order)
    known = tuple(truth[key] for key in order) if truth else ()
    return References(order, texts, known, tuple(groups[key] for key in order) if groups else ())


def read_references(
    annotations: Path, truth: Path | None, units: Sequence[UnitKey] | None = None
) -> References:
    """The tables of one network, joined; `truth` is None where no concept is known."""
    texts, groups = read_unit_texts(annotations), read_unit_groups(annotations)
    return join(texts, read_truth(truth) if truth else None, units, groups)


def read_training(
    units: Path, annotations: Mapping[str, Path], truth: Mapping[str, Path]
) -> Training:
    """Annotations and ground truth of a captioner's training units.

    Args:
        units: the captioner's units.csv.
        annotations: annotations.csv of each network or set that it was trained on, by name.
        truth: truth.csv of those with ground truth, by name.

    """
    training: dict[str, list[UnitKey]] = {}
    for unit in read_units(units):
        if unit.side != TEST:
            training.setdefault(unit.model, []).append(unit.key)
    if absent := sorted(training.keys() - annotations.keys()):
        raise UserError(
            f"{units} was trained on {absent[0]!r}, whose annotations were not given; got those of "
            f"{', '.join(annotations) or 'none'}"
        )
    captions: list[str] = []
    concepts: list[Truth] = []
    for model, keys in training.items():
        texts = read_unit_texts(annotations[model])
        captions += [text for key in keys for text in texts.get(key, ())]
        if model in truth:
            by_unit = read_truth(truth[model])
            concepts += [by_unit[key] for key in keys if key in by_unit]
    if not captions:
        raise UserError(f"{units} and the training annotations have no unit in common")
    return Training(captions, concepts)
