"""Words for the units of a network over photographs, from packages alone.

The words are those of `referee.photographs`: groups of ImageNet's classes, the classes, and pixel
attributes, as EfficientNet-Lite0 and the pixels show them. Only units of grade A are described; a
tendency (B) stands in a column of its own (`grading`).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.describers.describer import (
    Cell,
    Describer,
    Description,
    Descriptions,
    Resources,
    TableForm,
)
from milan_core.describers.grading import Graded, GradingRule, grade_layer, tendency_text
from milan_core.describers.options import DescriberOptions, WordsOptions
from milan_core.describers.units import Units
from milan_core.referee.photographs.evidence import lite0_weights, photograph_evidence

FEWEST = 100  # images from which a correlation says something


class Words(Describer):
    """The word that a unit's activations follow and its strongest images show."""

    Options: ClassVar[type[DescriberOptions]] = WordsOptions
    form: ClassVar[TableForm] = TableForm(("grade", "score", "share", "base", "tendency"), 6)

    def __init__(self, rule: GradingRule, weights: Path, device: str = "cpu") -> None:
        self._rule, self._weights, self._device = rule, weights, device

    @classmethod
    def load(cls, options: WordsOptions, resources: Resources) -> Words:
        """The describer; its network is loaded when images are there."""
        rule = GradingRule(options.share, options.lift, options.rate)
        return cls(rule, lite0_weights(options.weights), resources.compute.device)

    def describe(self, units: Units) -> Descriptions:
        """A word for every unit that has one."""
        pictures = units.pictures
        if len(pictures) < FEWEST:
            raise UserError(
                f"describer 'words' correlates over images: got {len(pictures)}, expected "
                f"{FEWEST} or more; give more images with --images"
            )
        evidence = photograph_evidence(pictures, self._weights, self._device)
        keys: list[UnitKey] = []
        rows: list[Description] = []
        for layer, maxima in units.maxima().items():
            graded = grade_layer(maxima, evidence, self._rule)
            keys += [(layer, unit) for unit in range(len(graded))]
            rows += map(_row, graded)
        return Descriptions(keys, rows)


def _row(graded: Graded) -> Description:
    cells: dict[str, Cell] = {
        "grade": graded.grade,
        "share": graded.share,
        "base": graded.base,
        "tendency": tendency_text(graded) if graded.grade == "B" else "",
    }
    return Description(graded.text, graded.correlation, cells)
