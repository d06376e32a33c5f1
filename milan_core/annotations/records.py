"""annotations.csv: one row an annotation, `layer,unit,summary` (spec 3.2 and 3.3).

Layer names are text and stay text: a layer called `04` or `7` keeps its name and its annotations
(spec 6.2-19).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from milan_core.core.errors import UserError
from milan_core.core.files import write_csv

HEADER = ("layer", "unit", "summary")
Key = tuple[str, int]  # layer, unit


class Annotation(NamedTuple):
    """One annotation of one unit."""

    layer: str
    unit: int
    summary: str


@dataclass(frozen=True)
class TableRow:
    """A row of a CSV file with a header, and the line it ends on."""

    line: int
    fields: dict[str, str]


def read_table(path: Path, required: Sequence[str]) -> Iterator[TableRow]:
    """The rows of a CSV file; a sentence names the file and line of what cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle, strict=True)
            missing = [name for name in required if name not in (reader.fieldnames or [])]
            if missing:
                msg = f"{path}: missing column {', '.join(missing)}; got {reader.fieldnames}"
                raise UserError(msg)
            for row in reader:
                if None in row or None in row.values():
                    width = len(reader.fieldnames or [])
                    msg = f"{path}, line {reader.line_num}: expected {width} fields"
                    raise UserError(msg)
                yield TableRow(reader.line_num, row)
    except FileNotFoundError:
        msg = f"table not found: {path}"
        raise UserError(msg) from None
    except (csv.Error, UnicodeDecodeError) as error:
        msg = f"{path} is not a readable CSV table in UTF-8: {error}"
        raise UserError(msg) from None


def unit_number(text: str, where: str) -> int:
    """A unit's number, or a sentence that says where it is none."""
    if not text.strip().isdecimal() or len(text) > 18:  # so that it fits int64
        msg = f"{where}: unit must be a number from 0, got {text!r}"
        raise UserError(msg)
    return int(text)


def read_annotations(path: Path, column: str = "summary") -> list[Annotation]:
    """All rows in file order; `column` holds the text (`description` in a descriptions.csv)."""
    return [
        Annotation(
            row.fields["layer"],
            unit_number(row.fields["unit"], f"{path}, line {row.line}"),
            row.fields[column],
        )
        for row in read_table(path, ("layer", "unit", column))
    ]


def write_annotations(path: Path, annotations: Iterable[Annotation]) -> None:
    """Write the published form, in the given order."""
    write_csv(path, HEADER, annotations)


def by_unit(annotations: Iterable[Annotation]) -> dict[Key, tuple[str, ...]]:
    """Texts of each (layer, unit) in file order; units in order of their first appearance."""
    found: dict[Key, list[str]] = {}
    for layer, unit, summary in annotations:
        found.setdefault((layer, unit), []).append(summary)
    return {key: tuple(texts) for key, texts in found.items()}
