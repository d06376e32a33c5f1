"""Words for the units of a network over photographs, from packages alone.

The words are those of `referee.photographs`: groups of ImageNet's classes, the classes, and pixel
attributes, as EfficientNet-Lite0 and the pixels show them. Only units of grade A are described; a
tendency (B) stands in a column of its own (`grading`).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import (
    Cell,
    Describer,
    Description,
    Descriptions,
    Resources,
    TableForm,
)
from milan_core.describers.grading import Graded, GradingRule, grade_layer, tendency_text
from milan_core.describers.options import WordsOptions
from milan_core.describers.units import Units
from milan_core.referee.photographs.evidence import (
    Evidence,
    encoder_evidence,
    lite0_weights,
    photograph_evidence,
)

FEWEST = 100  # images from which a correlation says something


class Words(Describer):
    """The word that a unit's activations follow and its strongest images show."""

    Options: ClassVar[type[DescriberOptions]] = WordsOptions
    form: ClassVar[TableForm] = TableForm(("grade", "score", "share", "base", "tendency"), 6)

    def __init__(self, options: WordsOptions, device: str = "cpu") -> None:
        self._options, self._device = options, device
        self._rule = GradingRule(options.share, options.lift, options.rate)
        self._weights = None if options.clip else lite0_weights(options.weights)

    @classmethod
    def load(cls, options: WordsOptions, resources: Resources) -> Words:
        """The describer; its network is loaded when images are there."""
        return cls(options, resources.compute.device)

    def describe(self, units: Units) -> Descriptions:
        """A word for every unit that has one."""
        pictures = units.pictures
        if len(pictures) < FEWEST:
            raise UserError(f"describer 'words' {_too_few(len(pictures))}")
        evidence = self._evidence(pictures)
        keys: list[UnitKey] = []
        rows: list[Description] = []
        means = units.means()
        for layer, maxima in units.maxima().items():
            graded = grade_layer(maxima, evidence, self._rule, means[layer])
            keys += [(layer, unit) for unit in range(len(graded))]
            rows += map(_row, graded)
        return Descriptions(keys, rows)

    def _evidence(self, pictures: np.ndarray) -> Evidence:
        clip = self._options.clip
        if clip:
            download = self._options.download
            return encoder_evidence(pictures, clip, self._device, download=download)
        assert self._weights is not None
        return photograph_evidence(pictures, self._weights, self._device)


def _too_few(images: int) -> str:
    return (
        f"correlates over images: got {images}, expected {FEWEST} or more; give more images with "
        "--images"
    )


def missing_for_words(options: WordsOptions, images: int) -> str:
    """Why the describer cannot look for words in so many images; empty where it can."""
    if images < FEWEST:
        return _too_few(images)
    try:
        if not options.clip:
            lite0_weights(options.weights)
    except UserError as error:
        return str(error)
    return ""


def _row(graded: Graded) -> Description:
    cells: dict[str, Cell] = {
        "grade": graded.grade,
        "share": graded.share,
        "base": graded.base,
        "tendency": tendency_text(graded) if graded.grade == "B" else "",
    }
    return Description(graded.text, graded.correlation, cells)
