"""Networks with descriptions, exemplars and, where there is one, ground truth.

Two networks can be compared only if their units were mined from the same images with the same
options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.exemplars.groups import unit_groups
from milan_core.exemplars.store import ExemplarSet, load_exemplars
from milan_core.scoring.options import Query
from milan_core.scoring.queries import matches
from milan_core.scoring.tables import Truth, read_descriptions, read_truth
from milan_core.scoring.units import check_same_units

SAME = ("dataset", "k", "quantile", "mode")  # facts of the mining that must be equal


@dataclass(frozen=True, eq=False)
class Audited:
    """One network of an audit or an editing."""

    name: str
    descriptions: Mapping[UnitKey, str]
    exemplars: ExemplarSet
    truth: Mapping[UnitKey, Truth] | None  # None: its probe images have no ground truth

    @property
    def layers(self) -> dict[str, int]:
        """Number of units of each layer."""
        return self.exemplars.units

    @property
    def groups(self) -> dict[UnitKey, int]:
        """The group of every unit: channels of one stream, units with the same exemplars."""
        return unit_groups({layer: self.exemplars.ids(layer) for layer in self.exemplars.layers})

    def matched(self, query: Query) -> list[UnitKey]:
        """Units whose description answers the query."""
        return [key for key, text in self.descriptions.items() if matches(text, query)]

    def of_concept(self, query: Query) -> list[UnitKey] | None:
        """Units of one of the query's concepts in the ground truth; None where there is none."""
        if self.truth is None or not query.concepts:
            return None
        return [
            key
            for key, truth in self.truth.items()
            if truth.specific and truth.concept in query.concepts
        ]


def load_audited(
    name: str, descriptions: Path, exemplars: Path, truth: Path | None = None
) -> Audited:
    """Read the files of one network; refuses files that are not of the same units."""
    audited = Audited(
        name,
        read_descriptions(descriptions),
        load_exemplars(exemplars),
        read_truth(truth) if truth is not None else None,
    )
    units = [(layer, unit) for layer, count in audited.layers.items() for unit in range(count)]
    check_same_units(audited.descriptions, units, f"{descriptions}", f"{exemplars}")
    if audited.truth is not None:
        check_same_units(audited.truth, units, f"{truth}", f"{exemplars}")
    return audited


def check_comparable(networks: Sequence[Audited], what: str) -> None:
    """Refuse networks that were mined from different images or with different options."""
    first = networks[0]
    for other in networks[1:]:
        for fact in SAME:
            values = [network.exemplars.meta.get(fact) for network in (first, other)]
            if values[0] != values[1]:
                raise UserError(
                    f"{what}: {first.name!r} and {other.name!r} were mined with different {fact} "
                    f"({_short(values[0])} and {_short(values[1])}) and cannot be compared; probe "
                    "both with one data set and one set of mining options"
                )
        if first.layers != other.layers:
            raise UserError(
                f"{what}: {first.name!r} has the layers {first.layers}, {other.name!r} has "
                f"{other.layers}; both networks of a pair need the same units"
            )


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "..." if len(text) > 20 else text
