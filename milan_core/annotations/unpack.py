"""Unpack a published zip that is not trusted: the files of the format, or nothing at all."""

from __future__ import annotations

import glob
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from milan_core.core.archives import open_zip
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, text_hash
from milan_core.core.lock import publishing
from milan_core.core.temporaries import temporary_path
from milan_core.images.fetch.archive import extract, matches, open_members

MAX_BYTES = 32 << 30  # twice the largest published set
MAX_TABLE_BYTES = 256 << 20  # the largest published table has 1 MB
MAX_MEMBERS = 100_000
LAYER_FILES = ("masks.npy", "ids.csv", "images.npy", "units.npy", "activations.csv", "levels.npy")
TABLE = "annotations.csv"
MARK = ".milan-unpacked"  # digest of what the archive holds
DAMAGE = (RuntimeError, NotImplementedError, zlib.error, OSError)  # encrypted, unknown method, ...


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack `archive` to `folder`, which appears whole or not at all; returns `folder`.

    The set may stand at the top of the archive or below folders. A `folder` that was unpacked from
    an archive of the same content is left alone; a hidden file in it (`MARK`) says which that was.

    Raises:
        UserError: for an archive that is damaged or encrypted, leaves its folder, holds links or
            no annotations.csv, or unpacks to more than `max_bytes`; for a `folder` that holds
            something else.

    """
    if not archive.is_file():
        msg = f"archive not found: {archive}"
        raise UserError(msg)
    temporary = temporary_path(folder)
    try:
        names = _names(archive)
        top = _top(archive, names)
        if folder.is_dir():
            _check_same(archive, top, names, folder)
            return folder
        _check_size(archive, max_bytes)
        folder.parent.mkdir(parents=True, exist_ok=True)
        extract(archive, temporary, _patterns(top, names), max_bytes=max_bytes)
        with publishing():
            (temporary / top / MARK).write_text(_content(_members(archive, top, names)))
            (temporary / top).rename(folder)
    except DAMAGE as error:
        msg = f"{archive} cannot be unpacked to {folder}: {error}"
        raise UserError(msg) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def unpack_table(archive: Path, folder: Path) -> Path:
    """Unpack annotations.csv of an archive below `folder`, and nothing else; returns its path.

    Raises:
        UserError: as `unpack`.

    """
    if not archive.is_file():
        msg = f"archive not found: {archive}"
        raise UserError(msg)
    try:
        table = _top(archive, _names(archive)) + TABLE
        extract(archive, folder, [glob.escape(table)], max_bytes=MAX_TABLE_BYTES)
    except DAMAGE as error:
        msg = f"{archive} cannot be read: {error}"
        raise UserError(msg) from None
    return folder / table


def _names(archive: Path) -> list[str]:
    names = []
    with open_members(archive) as members:
        for member in members:
            names.append(member.name)
            if len(names) > MAX_MEMBERS:
                msg = f"{archive}: refused, more than {MAX_MEMBERS} members"
                raise UserError(msg)
    return names


def _top(archive: Path, names: list[str]) -> str:
    """The folder of the set inside the archive: "" or a path that ends with "/"."""
    tables = [name for name in names if name == TABLE or name.endswith(f"/{TABLE}")]
    if len(tables) != 1:
        shown = ", ".join(sorted(tables)[:5]) or "none"
        msg = f"{archive}: expected one {TABLE}, got {shown}; give the zip of one annotation set"
        raise UserError(msg)
    return tables[0].removesuffix(TABLE)


def _patterns(top: str, names: list[str]) -> list[str]:
    """The patterns to unpack; `extract` wants every pattern to fit something."""
    files = {name: re.compile(rf"{re.escape(top)}[^/]+/{re.escape(name)}") for name in LAYER_FILES}
    present = [file for file, form in files.items() if any(map(form.fullmatch, names))]
    return [glob.escape(top) + part for part in (TABLE, *(f"*/{file}" for file in present))]


def _check_size(archive: Path, max_bytes: int) -> None:
    """A first look, before anything is written; `extract` counts, because headers may lie."""
    with open_zip(archive) as opened:
        declared = sum(info.file_size for info in opened.infolist())
    if declared > max_bytes:
        msg = f"{archive}: refused, unpacks to {declared} bytes, more than the allowed {max_bytes}"
        raise UserError(msg)


def _members(archive: Path, top: str, names: list[str]) -> dict[str, zipfile.ZipInfo]:
    """Read the archive's entries of the files to unpack; keys are their places in a set."""
    patterns = _patterns(top, names)
    with open_zip(archive) as opened:
        wanted = [m for m in opened.infolist() if any(matches(m.filename, p) for p in patterns)]
    return {info.filename.removeprefix(top): info for info in wanted}


def _content(members: Mapping[str, zipfile.ZipInfo]) -> str:
    """A digest of the files to unpack by their names, sizes and checksums; nothing is read."""
    return text_hash(canonical_json({n: [m.file_size, m.CRC] for n, m in members.items()}), 64)


def _check_same(archive: Path, top: str, names: list[str], folder: Path) -> None:
    """Refuse a folder of another table, or of another archive: by its mark, else by sizes."""
    members, mark, table = _members(archive, top, names), folder / MARK, folder / TABLE
    stored = table.read_bytes() if table.is_file() else b""
    with open_zip(archive) as opened, opened.open(top + TABLE) as handle:
        same = handle.read(len(stored) + 1) == stored
    if mark.is_file():
        same = same and mark.read_text(errors="replace") == _content(members)
    else:
        sizes = {name: _size(folder / name) for name in members}  # masks may be packed and gone
        same = same and all(sizes[name] in (None, m.file_size) for name, m in members.items())
    if not same:
        msg = f"{folder} is there already and is not what {archive} holds; delete it, or give it"
        raise UserError(msg)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
