"""Describers that label units from a list of concepts: what NetDissect and its kin share.

Their tables have one row a unit: the description as it is scored, the label as the method writes
it, its score (IoU, AUC or soft WPMI), whether it passes the method's threshold, and the p value
where there is one. A unit that fits no concept has an empty description.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.describer import Cell, Describer, Description, Descriptions, TableForm
from milan_core.describers.evidence import LayerEvidence
from milan_core.describers.units import Units
from milan_core.ops.formulas import SparseMasks

FORM = TableForm(("label", "category", "score", "passes", "p"))


def labeled(
    text: str,
    label: str = "",
    category: str = "",
    score: float = 0.0,
    *,
    passes: bool = False,
    p: float | None = None,
) -> Description:
    """The description of one unit by a concept or a formula of concepts."""
    cells: dict[str, Cell] = {"label": label, "category": category, "passes": int(passes)}
    return Description(text, score, cells | {"p": "" if p is None else p})


class LabelDescriber(Describer):
    """Labels the units of a network, layer by layer."""

    form: ClassVar[TableForm] = FORM

    def describe(self, units: Units) -> Descriptions:
        """The label of every unit."""
        if not isinstance(units, NetworkUnits):
            raise UserError(
                f"describer {self.Options.describer_name()!r} labels the units of a network over a "
                f"data set, got {units.source}"
            )
        keys: list[UnitKey] = []
        rows: list[Description] = []
        for layer, evidence in units.activations().items():
            found = self.label_layer(evidence, units)
            keys += [(layer, unit) for unit in range(len(found))]
            rows += found
        return Descriptions(keys, rows)

    @abstractmethod
    def label_layer(self, evidence: LayerEvidence, units: NetworkUnits) -> list[Description]:
        """The labels of the units of one layer."""


def mask_blocks(evidence: LayerEvidence, quantile: float) -> Iterator[SparseMasks]:
    """The masks of the units of a layer, some units at a time."""
    masks = evidence.masks[quantile]
    for first, last in masks.blocks():
        yield masks.block(first, last)
