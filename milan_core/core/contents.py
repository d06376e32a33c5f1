"""Digests of the content of files and folders of the user's, for what must be noticed when planned.

A file counts by its bytes, whatever its time: `cp -p` and `rsync -t` bring files with older times.
The digest of a large file is remembered by place, size, inode and both times; the time of the last
change of the inode cannot be set back, so a file that was replaced is always read again.

A folder counts by the names and contents of its files, up to `WHOLE` bytes in all. Beyond that its
files count by name, size and time, because reading ImageNet at every plan would take minutes.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, file_sha256, text_hash, write_text

WHOLE = 512 << 20  # bytes of a folder that are read
REMEMBERED = 8 << 20  # bytes from which a file's digest is kept between processes
SETTLED = 2 * 10**9  # nanoseconds; a file that changed this recently may change again unseen
MEMORY = Path(".snakemake/milan-digests.json")  # only where Snakemake has its folder

_known: dict[str, list[object]] = {}  # place -> [facts of the file, digest]
_loaded: set[Path] = set()


def content_digest(path: Path | str) -> str:
    """SHA-256 of a file's bytes; the digests of large files are remembered."""
    place = os.path.realpath(path)
    stat = Path(place).stat()
    facts = [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    large = stat.st_size >= REMEMBERED
    if large and (remembered := _remembered(place)) and remembered[0] == facts:
        return str(remembered[1])
    digest = file_sha256(place)
    if large and time.time_ns() - max(stat.st_ctime_ns, stat.st_mtime_ns) > SETTLED:
        _known[place] = [facts, digest]
        _save()
    return digest


def _remembered(place: str) -> list[object] | None:
    memory = MEMORY.absolute()
    if memory not in _loaded:
        _loaded.add(memory)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for known, entry in json.loads(memory.read_text()).items():
                _known.setdefault(known, entry)
    return _known.get(place)


def _save() -> None:
    if MEMORY.parent.is_dir():
        with contextlib.suppress(OSError, UserError):
            write_text(MEMORY, json.dumps(_known))


def places_of(path: str) -> list[Path]:
    """What a path or pattern stands for, sorted."""
    given = Path(path).expanduser()
    if given.exists():
        return [given]
    return sorted(Path(match) for match in glob.glob(str(given)))  # noqa: PTH207 - any folder


def path_digest(path: str) -> str:
    """A digest of the files that a path, a pattern or the start of a name stands for; else empty.

    The start of a name stands for the folders `<path>-*`, as published programs write theirs.
    """
    given = Path(path).expanduser()
    places = places_of(path) or sorted(given.parent.glob(f"{glob.escape(given.name)}-*"))
    return files_digest((place, file) for place in places for file in files_below(place))


def files_below(place: Path) -> Iterator[Path]:
    """A file, or every file below a folder, sorted; links to folders are followed once.

    What is hidden does not count.
    """
    if not place.is_dir():
        yield place
        return
    seen: set[str] = set()
    for root, folders, names in os.walk(place, followlinks=True):
        if (real := os.path.realpath(root)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def files_digest(files: Iterable[tuple[Path, Path]]) -> str:
    """A digest of files, each with the place that it belongs to; empty without any."""
    stats = [
        (_printable(os.path.relpath(file, place.parent)), file, file.stat())
        for place, file in files
        if file.is_file()
    ]
    if not stats:
        return ""
    read = len(stats) == 1 or sum(stat.st_size for _, _, stat in stats) <= WHOLE
    facts = [
        [name, stat.st_size, content_digest(file) if read else stat.st_mtime_ns]
        for name, file, stat in stats
    ]
    return text_hash(canonical_json(facts))


def _printable(name: str) -> str:
    """A file's name as text, also where it is not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
