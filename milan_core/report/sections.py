"""Pages of the experiments, made of the `section.json` that each of them wrote."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_csv
from milan_core.core.names import file_name
from milan_core.core.numbers import DASH, number
from milan_core.core.section import (
    Column,
    Link,
    Picture,
    Section,
    Table,
    file_of,
    read_section,
)
from milan_core.report.drawings import inline_svg


@dataclass(frozen=True)
class Page:
    """A section with everything that its page shows."""

    section: Section
    page: str
    items: list[dict[str, Any]]


def load_sections(paths: Iterable[Path], files: Iterable[Path], out: Path) -> list[Page]:
    """The pages of all sections in their order.

    `files` are the tables, figures and pages that the sections may name, or folders of such; links
    are relative to the report folder `out`. Raises `UserError` for a section that names another.
    """
    given = {Path(os.path.normpath(path)) for path in files}
    sections = [(path, read_section(path)) for path in paths]
    sections.sort(key=lambda pair: (pair[1].order, pair[1].name))
    return [
        Page(
            section,
            f"{file_name(section.name)}.html",
            [
                _item(_file(path, item, given), item, f"{file_name(section.name)}-{index}", out)
                for index, item in enumerate(section.items)
            ],
        )
        for path, section in sections
    ]


def _file(section: Path, item: Table | Picture | Link, given: set[Path]) -> Path:
    """The file of an item, which must be among the given ones or in a given folder."""
    path = file_of(section, item)
    if given.isdisjoint([path, *path.parents]):
        raise UserError(
            f"{section}: names {item.path}, which is not among the section files; add {path} to "
            "--section-files"
        )
    return path


def _item(path: Path, item: Table | Picture | Link, name: str, out: Path) -> dict[str, Any]:
    """The HTML of one item; `name` starts the ids of a figure."""
    shown: dict[str, Any] = {"kind": item.kind, "caption": item.caption}
    if isinstance(item, Picture):
        with reading(path, "a figure (.svg)", "run the step that draws it again"):
            return {**shown, "svg": inline_svg(path, name)}
    if isinstance(item, Link):
        return {**shown, "href": Path(os.path.relpath(path, out)).as_posix()}
    needed = {column.name for column in item.columns}
    rows = read_csv(path, sorted(needed))
    return {
        **shown,
        "folded": item.folded,
        "columns": item.columns,
        "rows": [[cell(row, column) for column in item.columns] for row in rows],
    }


def cell(row: Mapping[str, str], column: Column) -> tuple[str, str]:
    """The text of one cell and its interval, empty when there is none."""
    text = row[column.name]
    if column.style == "text":
        return text, ""
    value = number(text)
    if math.isnan(value):
        return DASH, ""
    ends = [number(row.get(name)) for name in (column.low, column.high) if name]
    if len(ends) < 2 or any(map(math.isnan, ends)):
        return _number(value, column), ""
    return _number(value, column), f"[{', '.join(_number(end, column) for end in ends)}]"


def _number(value: float, column: Column) -> str:
    if column.style == "integer":
        return f"{value:.0f}"
    if column.style == "percent":
        return f"{100 * value:.1f}%"
    if column.style == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.{column.digits}f}"
