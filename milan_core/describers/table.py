"""Descriptions of a CSV file, wherever they come from."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from milan_core.core.errors import UserError
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Describer, Description, Descriptions, Resources
from milan_core.describers.options import TableOptions
from milan_core.describers.units import Units
from milan_core.scoring.tables import read_descriptions
from milan_core.scoring.units import example


class Table(Describer):
    """Repeats a table with the columns layer, unit and a text; units that it lacks abstain."""

    Options: ClassVar[type[DescriberOptions]] = TableOptions

    def __init__(self, options: TableOptions) -> None:
        self._path = Path(options.path)
        self._texts = read_descriptions(self._path, column=options.column)

    @classmethod
    def load(cls, options: TableOptions, resources: Resources) -> Table:
        """The describer with its table; refuses a file without these columns."""
        return cls(options)

    def describe(self, units: Units) -> Descriptions:
        """The text of every unit; refuses a table of other units alone."""
        keys = units.keys
        if keys and not self._texts.keys() & set(keys):
            raise UserError(
                f"{self._path} has no text of any of the {len(keys)} units that are described: it "
                f"names {example(self._texts.keys())}, they are {example(keys)}; give a table of "
                "this network (in a run: name the table's network in `models` of the describer)"
            )
        return Descriptions(keys, [Description(self._texts.get(key, "")) for key in keys])
