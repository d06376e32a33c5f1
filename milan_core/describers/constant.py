"""One text for every unit: what every score must be compared with.

Which text is a matter of the training annotations (`scoring.constants`) or of the language model
(`captioner.prior`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Cell, Describer, Description, Descriptions, Resources
from milan_core.describers.options import ConstantOptions
from milan_core.describers.units import Units


class Constant(Describer):
    """Gives every unit the same text, with the same cells in its row."""

    Options: ClassVar[type[DescriberOptions]] = ConstantOptions

    def __init__(self, text: str, cells: Mapping[str, Cell] | None = None) -> None:
        self._row = Description(text, cells=cells or {})

    @classmethod
    def load(cls, options: ConstantOptions, resources: Resources) -> Constant:
        """The describer; it reads no file."""
        return cls(options.text)

    def describe(self, units: Units) -> Descriptions:
        """The same row for every unit."""
        keys = units.keys
        return Descriptions(keys, [self._row] * len(keys))
