"""Sections of the report: sentences, tables and figures of one experiment, as `section.json`.

An experiment writes tables and figures, and a section that names them; the report makes a page of
each section. Experiments write no HTML.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from milan_core.core.errors import UserError, reads
from milan_core.core.files import read_json, write_json

FORMAT = 1
Style = Literal["text", "integer", "number", "percent", "p"]


@dataclass(frozen=True)
class Column:
    """A column of a CSV table as the page shows it; `low` and `high` name an interval's columns.

    `digits` are decimals of numbers, percentages have one; empty cells and NaN become a dash. The
    style `p` is that of a p value: three decimals, and "< 0.001" below that.
    """

    name: str
    title: str
    style: Style = "text"
    digits: int = 2
    low: str | None = None
    high: str | None = None


@dataclass(frozen=True)
class Table:
    """A CSV file; with `folded` the page hides it until the reader opens it."""

    path: str
    caption: str
    columns: Sequence[Column]
    folded: bool = False
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Picture:
    """An SVG file of `core.drawing`; the caption says what it shows."""

    path: str
    caption: str
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True)
class Link:
    """A further page or file of the experiment, such as a review sheet."""

    path: str
    caption: str
    kind: Literal["link"] = "link"


@dataclass(frozen=True)
class Section:
    """One experiment of the report. The first paragraph also stands on the overview page."""

    name: str
    title: str
    order: int
    paragraphs: Sequence[str]
    items: Sequence[Table | Picture | Link] = field(default_factory=tuple)


def write_section(path: Path | str, section: Section) -> None:
    """Write `section` to `path`; the files of its items must be there already."""
    folder = Path(path).parent
    if absent := [item.path for item in section.items if not file_of(path, item).is_file()]:
        raise FileNotFoundError(
            f"section {section.name!r}: no file {', '.join(absent)} in {folder}"
        )
    write_json(path, {"format": FORMAT, **asdict(section)})


def file_of(section: Path | str, item: Table | Picture | Link) -> Path:
    """The file of an item, whose path is relative to that of its section."""
    return Path(os.path.normpath(Path(section).parent / item.path))


def relative_to(section: Path, path: Path) -> str:
    """The path of an item, relative to the folder of its section."""
    return Path(os.path.relpath(path, section.parent)).as_posix()


@reads("a section of the report")
def read_section(path: Path) -> Section:
    """The section written by `write_section`; refuses another format with `UserError`."""
    record = read_json(path, "section")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        got = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise UserError(f"{path}: expected a section of format {FORMAT}, got {got}; make it again")
    kinds = [item.get("kind") for item in record["items"]]
    if unknown := [kind for kind in kinds if kind not in ("table", "figure", "link")]:
        message = f"{path}: items: unknown kind {unknown[0]!r}, expected table, figure or link"
        raise UserError(message)
    section: Section = TypeAdapter(Section).validate_python(record)
    return section
