"""Open zip and tar archives of others in bounded memory, and notice where a tar is damaged.

Python's readers believe what an archive says of itself: a header of a tar may be as long as it
says, and every member is kept. They also take a damaged header for the end of a tar.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

DIRECTORY = 128 << 20  # bytes of the table of contents of a zip: about a million files
ZIP_MARK, ZIP_END = b"PK\5\6", 22 + (1 << 16)  # how the end of a zip begins, and its most bytes
HEADERS = 32 << 10  # bytes of all headers of one member of a tar; writers need some thousand
DIGITS = 200  # of a number in headers; Python before 3.11.10 takes the square of them in time
SHARED = 1000  # fields that a tar may give for all its members
RATIO = 200  # times its size: what a packed tar may unpack to
PIECE = 1 << 20  # bytes that are looked through at once, whole blocks
UNPACKED = 1 << 30  # bytes that any packed tar may unpack to
_NUMBER = re.compile(rb"[0-9]+")


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading.

    Raises:
        zipfile.BadZipFile: for a table of contents of more than `DIRECTORY` bytes, a name that
            occurs twice, an archive before this one, of both of which readers take one or the
            other, and whatever `zipfile` raises for a damaged archive.

    """
    with path.open("rb") as file:
        bounded = _Bounded(file, DIRECTORY)
        with zipfile.ZipFile(cast("IO[bytes]", bounded)) as archive:
            bounded.room = None
            _check_single(archive, file)
            yield archive


def _check_single(archive: zipfile.ZipFile, file: IO[bytes]) -> None:
    seen: set[str] = set()
    for info in archive.infolist():
        if info.filename in seen and not info.is_dir():
            raise zipfile.BadZipFile(f"its member {info.filename!r:.80} occurs twice")
        seen.add(info.filename)
    first = min((info.header_offset for info in archive.infolist()), default=0)
    start = max(first - ZIP_END, 0)
    file.seek(start)
    if ZIP_MARK in file.read(first - start):
        raise zipfile.BadZipFile("another archive precedes it; keep them in two files")


@contextmanager
def open_tar(path: Path, *, packed: bool) -> Iterator[Iterator[TarMember]]:
    """Open a tar archive, gzipped where it is `packed`; yields its members in their order.

    A member can be read until the next one is asked for.

    Raises:
        tarfile.ReadError: for headers of more than `HEADERS` bytes, fields beyond `SHARED`, a
            packed archive that unpacks to far more than it has, and one that ends in a damaged
            header; and whatever `tarfile` and `gzip` raise for a damaged archive.

    """
    most = max(UNPACKED, RATIO * path.stat().st_size) if packed else None
    with gzip.open(path) if packed else path.open("rb") as file:
        source = _Headers(cast("IO[bytes]", file), HEADERS)
        with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r:") as archive:
            yield _members(archive, source, most)


TarMember = tuple[tarfile.TarInfo, Callable[[], IO[bytes]]]
"""A member's header, and a function that opens the content of a plain file."""


def _members(archive: tarfile.TarFile, source: _Headers, most: int | None) -> Iterator[TarMember]:
    while True:
        source.room = HEADERS
        info = archive.next()
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
        if info is None:
            _check_end(archive, source)
            return
        if len(archive.pax_headers) > SHARED:
            msg = f"it gives more than {SHARED} fields for all its members"
            raise tarfile.ReadError(msg)
        if most is not None and info.offset_data + info.size > most:
            msg = f"it unpacks to more than {most} bytes, {RATIO} times its size"
            raise tarfile.ReadError(msg)
        source.room = None
        yield info, _opener(archive, info)


def _opener(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def start() -> IO[bytes]:
        handle = archive.extractfile(info)
        if handle is None:
            raise tarfile.ExtractError(info.name)
        return handle

    return start


def _check_end(archive: tarfile.TarFile, source: _Headers) -> None:
    """Refuse an end that is damaged or missing, and a second archive behind it."""
    source.seek(archive.offset)
    first = source.read(tarfile.BLOCKSIZE)
    if first.strip(b"\0"):
        msg = f"the header at byte {archive.offset} is damaged"
        raise tarfile.ReadError(msg)
    if not first:
        msg = (
            "it ends without the empty blocks that close an archive and may have been cut; if it "
            "is whole, add 1024 zero bytes"
        )
        raise tarfile.ReadError(msg)
    source.room = None
    while piece := source.read(PIECE):
        starts = range(0, len(piece), tarfile.BLOCKSIZE)
        if any(piece[start + 257 : start + 262] == b"ustar" for start in starts):
            raise tarfile.ReadError("another archive follows its end; keep them in two files")


class _Bounded:
    """A file of which at most `room` bytes are read; None: any number."""

    error: type[Exception] = zipfile.BadZipFile
    what = "table of contents"

    def __init__(self, file: IO[bytes], room: int | None) -> None:
        self._file = file
        self.room = room

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, or all that are left."""
        if self.room is None:
            return self._file.read(size)
        size = self._left() if size < 0 else size
        if size > self.room:
            raise self.error(f"its {self.what} would take more memory than in any real archive")
        self.room -= size
        return self._file.read(size)

    def _left(self) -> int:
        place = self._file.tell()
        end = self._file.seek(0, io.SEEK_END)
        self._file.seek(place)
        return max(end - place, 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Headers(_Bounded):
    """A tar archive while its headers are read."""

    error = tarfile.ReadError
    what = "headers"

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, without numbers of very many digits."""
        data = super().read(size)
        if self.room is not None and any(len(run) > DIGITS for run in _NUMBER.findall(data)):
            raise self.error("its headers hold a number of more digits than any archive needs")
        return data
