"""Experiments of a run: their sentences, tables and figures, each with its file to download."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from milan_core.atlas.chunks import write_chunk
from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_csv, write_bytes
from milan_core.core.names import below, file_name
from milan_core.core.records import files_of
from milan_core.core.section import Link, Picture, Section, Table, file_of, read_section
from milan_core.report.sections import cell


def write_sections(sections: Iterable[Path], out: Path) -> list[dict[str, Any]]:
    """Write a chunk and the files of each section below `out`; returns what the overview shows."""
    read = [(path, read_section(path)) for path in sections]
    read.sort(key=lambda pair: (pair[1].order, pair[1].name))
    return [_written(path, section, out) for path, section in read]


def _written(path: Path, section: Section, out: Path) -> dict[str, Any]:
    slug = file_name(section.name)
    items = [
        _item(file_of(path, item), item, f"files/{slug}/{index}", out)
        for index, item in enumerate(section.items)
    ]
    facts = {"name": section.name, "title": section.title}
    write_chunk(
        out,
        f"experiments/{slug}",
        {**facts, "paragraphs": list(section.paragraphs), "items": items},
    )
    return {**facts, "slug": slug, "paragraph": next(iter(section.paragraphs), "")}


def _item(path: Path, item: Table | Picture | Link, place: str, out: Path) -> dict[str, Any]:
    """The facts of one item; its file is copied to `place` with its own name."""
    shown: dict[str, Any] = {"kind": item.kind, "caption": item.caption}
    if isinstance(item, Link):
        return {**shown, "files": _copied(path, place, out)}
    with reading(path, "a file of a section", "run the step that writes it again"):
        data = path.read_bytes()
    name = file_name(path.name)
    write_bytes(out / place / name, data)
    shown["file"] = f"{place}/{name}"
    if isinstance(item, Picture):
        return shown
    rows = read_csv(path, sorted({column.name for column in item.columns}))
    columns = [{"title": one.title, "number": one.style != "text"} for one in item.columns]
    cells = [[list(cell(row, column)) for column in item.columns] for row in rows]
    return {**shown, "folded": item.folded, "columns": columns, "rows": cells}


def _copied(path: Path, place: str, out: Path) -> dict[str, str]:
    """Copy a page of an experiment with everything in its folder; returns where it lies now."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; run the step that writes it again")
    for item in files_of(path.parent):  # without records, which describe the originals
        inside = item.relative_to(path.parent).as_posix()
        write_bytes(below(out / place, inside, "file of an experiment"), item.read_bytes())
    return {"page": f"{place}/{path.name}"}
