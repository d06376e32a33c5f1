"""The tables of one network joined: each described unit with its annotations and ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from milan_core.annotations.records import read_annotations
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.tables import grouped
from milan_core.core.units import UnitKey
from milan_core.exemplars.status import SILENT
from milan_core.scoring.tables import STATUS, Truth, read_truth
from milan_core.scoring.units import unit_key

CORRECT, WRONG, UNJUDGED = "names", "misses", "open"
_TRUTH = ("concept", "tier", "coverage", "support", "specific")


class JoinedUnit(NamedTuple):
    """One row of a table of descriptions, with what other tables say of its unit.

    Attributes:
        key: (layer, unit).
        row: its cells by column, `status` among them.
        annotations: (annotator, text).
        truth: the known concept; None where there is none.

    """

    key: UnitKey
    row: Mapping[str, str]
    annotations: tuple[tuple[str, str], ...]
    truth: Truth | None

    @property
    def verdict(self) -> str:
        """Whether its description names its concept; open for a unit that shows nothing."""
        return UNJUDGED if self.row[STATUS] in SILENT else self.verdict_on(self.row["description"])

    def verdict_on(self, text: str) -> str:
        """Whether a text names the concept, where the unit has a specific one."""
        if self.truth is None or not self.truth.specific:
            return UNJUDGED
        return CORRECT if self.truth.named_by(text) else WRONG

    def concept(self) -> dict[str, Any]:
        """The facts of its known concept by name; empty where there is none."""
        return {} if self.truth is None else {name: getattr(self.truth, name) for name in _TRUTH}


def join_units(
    where: str,
    network: str,
    descriptions: Path,
    annotations: Path | None,
    truth: Path | None,
    silent: Mapping[UnitKey, str],
) -> list[JoinedUnit]:
    """All units of a network in the order of its descriptions.

    Args:
        where: what asks, first in messages, such as `report`.
        network: its name, for messages.
        descriptions: its table of descriptions.
        annotations: its table of annotations; None where there is none.
        truth: its table of known concepts; None where there is none.
        silent: status of units that show nothing, for tables without a column of it.

    Raises:
        UserError: for annotations or ground truth of units that the descriptions lack.

    """
    rows = {
        unit_key(row, descriptions): row
        for row in read_csv(descriptions, ("layer", "unit", "description"))
    }
    annotated = read_annotations(annotations) if annotations else []
    texts = grouped(annotated, lambda item: (item.layer, item.unit))
    truths = read_truth(truth) if truth else {}
    for what, table in (("annotations", texts), ("truth", truths)):
        if strange := table.keys() - rows.keys():
            layer, unit = min(strange)
            raise UserError(
                f"{where}: the {what} of {network!r} hold layer {layer!r} unit {unit}, which its "
                "descriptions lack; they come from different runs, so describe the network again"
            )
    return [
        JoinedUnit(
            key,
            {STATUS: silent.get(key, "")} | row,
            tuple((item.annotator, item.summary) for item in texts.get(key, ())),
            truths.get(key),
        )
        for key, row in rows.items()
    ]
