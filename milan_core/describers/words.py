"""Words for the units of a network over photographs, from packages alone.

The words are those of `referee.photographs`: groups of ImageNet's classes, the classes, and pixel
attributes, as EfficientNet-Lite0 and the pixels show them. Only units of grade A are described; a
tendency (B) stands in a column of its own (`grading`).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from milan_core.core.errors import UserError
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.describer import Cell, Description, Descriptions, Resources, TableForm
from milan_core.describers.evidence import LayerEvidence
from milan_core.describers.grading import Graded, GradingRule, grade_layer, tendency_text
from milan_core.describers.labels import LabelDescriber
from milan_core.describers.options import DescriberOptions, WordsOptions
from milan_core.describers.units import Units
from milan_core.referee.photographs.evidence import Evidence, lite0_weights, photograph_evidence

FEWEST = 100  # images from which a correlation says something


class Words(LabelDescriber):
    """The word that a unit's activations follow and its strongest images show."""

    Options: ClassVar[type[DescriberOptions]] = WordsOptions
    form: ClassVar[TableForm] = TableForm(("grade", "score", "share", "base", "tendency"), 6)

    def __init__(self, rule: GradingRule, weights: Path, device: str = "cpu") -> None:
        self._rule, self._weights, self._device = rule, weights, device
        self._evidence: Evidence | None = None

    @classmethod
    def load(cls, options: WordsOptions, resources: Resources) -> Words:
        """The describer; its network is loaded when images are there."""
        rule = GradingRule(options.share, options.lift, options.rate)
        return cls(rule, lite0_weights(options.weights), resources.compute.device)

    def describe(self, units: Units) -> Descriptions:
        """A word for every unit that has one."""
        if isinstance(units, NetworkUnits):
            if len(units.images) < FEWEST:
                raise UserError(
                    f"describer 'words' correlates over images: got {len(units.images)}, expected "
                    f"{FEWEST} or more; give more images with --images"
                )
            self._evidence = photograph_evidence(units.images, self._weights, self._device)
        return super().describe(units)

    def label_layer(self, evidence: LayerEvidence, units: NetworkUnits) -> list[Description]:
        """The words of the units of one layer."""
        assert self._evidence is not None
        return [_row(graded) for graded in grade_layer(evidence.maxima, self._evidence, self._rule)]


def _row(graded: Graded) -> Description:
    cells: dict[str, Cell] = {
        "grade": graded.grade,
        "share": graded.share,
        "base": graded.base,
        "tendency": tendency_text(graded) if graded.grade == "B" else "",
    }
    return Description(graded.text, graded.correlation, cells)
