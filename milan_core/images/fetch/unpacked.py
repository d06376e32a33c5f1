"""Unpack archives that are used as folders: completely or not at all.

Beside the folder `NAME` lies `NAME.lock.json` with the SHA-256 of each file, for later checks; the
archive may be deleted.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path

from milan_core.core.errors import UserError, reading
from milan_core.core.files import file_sha256, read_json, write_json
from milan_core.core.lock import file_lock, publishing
from milan_core.core.temporaries import temporary_path
from milan_core.images.fetch.archive import extract, open_members
from milan_core.images.fetch.trust import lock_path

FORMAT = "milan-unpacked"
VERSION = 1
MAX_BYTES = 8 << 30  # most that an archive may hold


def unpack_whole(archive: Path, folder: Path) -> Path:
    """Unpack all of `archive` into `folder`, which appears complete or not at all; returns it.

    A single top folder of the archive becomes `folder` itself. Runs that want the same folder wait
    for each other; one unpacks.
    """
    with file_lock(folder):
        if not folder.is_dir():
            _unpack(archive, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    with open_members(archive) as members:
        names = [member.name for member in members]
    if not names:
        raise UserError(f"{archive} holds no file; fetch it again")
    temporary = temporary_path(folder)
    try:
        extract(archive, temporary, [*map(glob.escape, names)], max_bytes=MAX_BYTES)
        inner = list(temporary.iterdir())
        whole = inner[0] if len(inner) == 1 and inner[0].is_dir() else temporary
        write_json(lock_path(folder), _record(archive, whole))
        with publishing():
            whole.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _record(archive: Path, folder: Path) -> dict[str, object]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "archive": archive.name,
        "files": {path.relative_to(folder).as_posix(): file_sha256(path) for path in files},
    }


def verify_unpacked(folder: Path) -> str:
    """Describe the fault of a folder; empty where its files are those that were unpacked.

    A folder without a record was placed by hand and must only be non-empty.
    """
    if not any(folder.iterdir()):
        return "it is empty"
    if not lock_path(folder).is_file():
        return ""
    with reading(lock_path(folder), "a record of an unpacked archive", "delete it"):
        record = read_json(lock_path(folder), "record of an unpacked archive")
        if record["format_version"] != VERSION:
            raise ValueError(f"version {record['format_version']}")
        for name, digest in record["files"].items():
            path = folder / name
            if not path.is_file() or file_sha256(path) != digest:
                return f"{path} is missing or was changed; delete the folder, fetch it again"
    return ""
