"""The bit-packed copy of a layer's masks, and the record that says of which masks it is one.

    masks.packed.npy    uint8 [U, k, S, ceil(S/8)], an eighth of masks.npy
    masks.packed.json   SHA-256 of masks.npy and of the copy, and what masks.npy looked like

A copy without a record, of other masks, or damaged does not count. The copy is read once when it is
opened (1 s per 1.5 GB); masks.npy is read only where its size, times or inode are not those of the
record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milan_core.core.contents import content_digest
from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, read_json, write_json

MASKS, PACKED, RECORD = "masks.npy", "masks.packed.npy", "masks.packed.json"
FORMAT, VERSION = "milan-packed-masks", 1


def write_packing(folder: Path) -> None:
    """Record that the copy in `folder` was made from the masks in it."""
    source = folder / MASKS
    facts = {"format": FORMAT, "version": VERSION, "seen": _look(source)}
    digests = {"masks": content_digest(source), "copy": file_sha256(folder / PACKED)}
    write_json(folder / RECORD, {**facts, **digests})


def is_valid(folder: Path) -> bool:
    """Whether the copy in `folder` is whole, and one of the masks that lie there, if any do."""
    source, copy = folder / MASKS, folder / PACKED
    if not copy.is_file() or not (record := _record(folder)):
        return False
    same = not source.is_file() or record["seen"] == _look(source)
    same = same or record["masks"] == content_digest(source)
    return bool(same and record["copy"] == file_sha256(copy))


def _record(folder: Path) -> dict[str, Any]:
    """The record; empty where there is none that this release reads."""
    try:
        record = read_json(folder / RECORD, "record of packed masks")
    except UserError:
        return {}
    wanted = {"format", "version", "seen", "masks", "copy"}
    if not isinstance(record, dict) or not wanted <= set(record):
        return {}
    return record if (record["format"], record["version"]) == (FORMAT, VERSION) else {}


def _look(path: Path) -> list[int]:
    """The size and times of the file, which change with it."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
