"""annotations.csv: one row an annotation, `layer,unit,summary[,annotator][,group]` (spec 3.2, 3.3).

Units with one number in the column `group` are no independent observations (`exemplars.groups`).

Layer names are text and stay text: a layer called `04` or `7` keeps its name and its annotations
(spec 6.2-19).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from milan_core.core.errors import UserError
from milan_core.core.files import numbered_rows, write_csv
from milan_core.core.units import UnitKey

HEADER = ("layer", "unit", "summary")
GROUP = "group"
LONGEST = 10_000  # letters of a text; metrics compare every word with every other


class Annotation(NamedTuple):
    """One annotation of one unit; `annotator` is empty in tables of the published format."""

    layer: str
    unit: int
    summary: str
    annotator: str = ""


def unit_number(text: str, where: str) -> int:
    """The number of a unit; raises `UserError`, starting with `where`, for any other text."""
    if not text.strip().isdecimal() or len(text) > 18:  # so that it fits int64
        msg = f"{where}: unit must be a number from 0, got {text!r}"
        raise UserError(msg)
    return int(text)


def unit_text(text: str, where: str) -> str:
    """A description or annotation; raises `UserError`, starting with `where`, for a huge one."""
    if len(text) > LONGEST:
        raise UserError(
            f"{where}: a text of {len(text)} letters, {text[:30]!r}...; expected at most "
            f"{LONGEST}: is a quotation mark missing?"
        )
    return text


def read_annotations(path: Path | str, column: str = "summary") -> list[Annotation]:
    """All rows in file order; `column` holds the text (`description` in a descriptions.csv).

    Raises:
        UserError: for a table that cannot be read, a unit that is no number, or a named annotator
            who describes a unit twice.

    """
    seen: set[tuple[str, int, str]] = set()
    rows = []
    for line, row in numbered_rows(path, ("layer", "unit", column)):
        unit = unit_number(row["unit"], f"{path}, line {line}")
        annotator = row.get("annotator", "")
        key = (row["layer"], unit, annotator)
        if annotator and key in seen:
            msg = f"{path}: annotator {annotator!r} describes layer {key[0]!r} unit {unit} twice"
            raise UserError(msg)
        seen.add(key)
        text = unit_text(row[column], f"{path}, line {line}")
        rows.append(Annotation(row["layer"], unit, text, annotator))
    return rows


def read_unit_texts(path: Path | str, column: str = "summary") -> dict[UnitKey, tuple[str, ...]]:
    """The texts of each (layer, unit), as `by_unit(read_annotations(path, column))`."""
    return by_unit(read_annotations(path, column))


def read_unit_groups(path: Path | str) -> dict[UnitKey, int]:
    """The group of each unit; without the column `group` every unit is its own.

    Raises:
        UserError: for a group that is no number, or a unit in two groups.

    """
    found: dict[UnitKey, int] = {}
    for line, row in numbered_rows(path, ("layer", "unit")):
        where = f"{path}, line {line}"
        key = row["layer"], unit_number(row["unit"], where)
        text = row.get(GROUP, "")
        group = unit_number(text, f"{where}, column group") if text else -1 - len(found)
        if found.setdefault(key, group) != group and text:
            raise UserError(f"{where}: layer {key[0]!r} unit {key[1]} is in two groups")
    return found


def write_annotations(
    path: Path, annotations: Iterable[Annotation], groups: Mapping[UnitKey, int] | None = None
) -> None:
    """Write the published form, without annotators, in the given order; `groups` as a column."""
    rows = [(row.layer, row.unit, row.summary) for row in annotations]
    if groups is None:
        write_csv(path, HEADER, rows)
    else:
        grouped = [(*row, groups[row[0], row[1]]) for row in rows]
        write_csv(path, (*HEADER, GROUP), grouped)


def by_unit(annotations: Iterable[Annotation]) -> dict[UnitKey, tuple[str, ...]]:
    """Texts of each (layer, unit) in file order; units in order of their first appearance."""
    texts: dict[UnitKey, list[str]] = {}
    for row in annotations:
        texts.setdefault((row.layer, row.unit), []).append(row.summary)
    return {key: tuple(of_unit) for key, of_unit in texts.items()}
