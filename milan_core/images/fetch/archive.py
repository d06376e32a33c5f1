"""Unpack chosen files of an archive without trusting it.

Refused are member names that leave the folder, links, special files, and more bytes than allowed,
counted while unpacking. Only wanted members are written.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from milan_core.core.archives import TarMember, open_tar, open_zip
from milan_core.core.errors import UserError, reason_of
from milan_core.core.files import flush

CHUNK = 1 << 20
SYNCED = 1000  # files; more are left to the system, as bringing each to the disk takes minutes
DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
    EOFError, struct.error, gzip.BadGzipFile, NotImplementedError, RuntimeError, ValueError,
    MemoryError, OverflowError,
)  # fmt: skip
"""Exceptions of the readers of archives for damaged, encrypted and unknown ones."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive that is not a folder."""

    name: str
    regular: bool  # neither a link nor a special file
    open: Callable[[], IO[bytes]]


def matches(name: str, pattern: str) -> bool:
    """Whether a `/`-separated path fits a pattern; `*` stays inside one component."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def wanted(name: str, keep: Sequence[str], drop: Sequence[str]) -> bool:
    """Whether a path fits some pattern of `keep` and none of `drop`."""
    return any(matches(name, p) for p in keep) and not any(matches(name, p) for p in drop)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        mode = info.external_attr >> 16  # Unix mode; 0 when the writer set none
        regular = stat.S_IFMT(mode) in (0, stat.S_IFREG)
        yield Member(info.filename, regular, lambda info=info: archive.open(info))  # type: ignore[misc]


def _tar_members(archive: Iterator[TarMember]) -> Iterator[Member]:
    for info, opener in archive:
        if not info.isdir():
            yield Member(info.name, info.isreg(), opener)


@contextmanager
def open_members(path: Path) -> Iterator[Iterator[Member]]:
    """The members of a .whl, .zip or .tar.gz; raises `UserError` where it is damaged."""
    with ExitStack() as stack:
        with _reading(path):
            if path.name.endswith(".tar.gz"):
                members = _tar_members(stack.enter_context(open_tar(path, packed=True)))
            else:
                members = _zip_members(stack.enter_context(open_zip(path)))
        yield _each(path, members)


def _each(path: Path, members: Iterator[Member]) -> Iterator[Member]:
    while True:
        with _reading(path):
            member = next(members, None)
        if member is None:
            return
        yield member


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what a damaged archive makes its reader raise into `UserError`.

    Around reads alone: what is done with their bytes may run out of memory too.
    """
    try:
        yield
    except UserError:
        raise
    except DAMAGED as error:
        msg = f"{path} is not a readable archive ({reason_of(error)}); fetch it again"
        raise UserError(msg) from None
    except OSError as error:
        # Of bz2 without a number; EINVAL is a place in the file that cannot be.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise UserError(f"{path} is not a readable archive ({error}); fetch it again") from None


def _safe_target(out: Path, name: str, archive: Path) -> Path:
    relative = PurePosixPath(name)
    unsafe = relative.is_absolute() or ".." in relative.parts or "\\" in name or ":" in name
    if unsafe or not relative.parts:
        msg = f"{archive}: refused, member {name!r} would be written outside its folder"
        raise UserError(msg)
    return out.joinpath(*relative.parts)


def _read(source: IO[bytes], archive: Path) -> bytes:
    with _reading(archive):
        return source.read(CHUNK)


def _copy(source: IO[bytes], target: Path, room: int, archive: Path) -> int:
    written = 0
    with target.open("xb") as sink:
        while block := _read(source, archive):
            written += len(block)
            if written > room:
                msg = f"{archive}: refused, unpacks to more than the allowed size"
                raise UserError(msg)
            sink.write(block)
    return written


_NAMES = {
    errno.EEXIST: "occurs twice",
    errno.ENOTDIR: "lies below a file",
    errno.EISDIR: "is a file and a folder",
    errno.ENAMETOOLONG: "has a name that is too long",
    errno.EINVAL: "has a name that this system does not take",
    errno.EILSEQ: "has a name that this system does not take",
}


def extract(
    archive: Path, out: Path, keep: Sequence[str], drop: Sequence[str] = (), *, max_bytes: int
) -> list[Path]:
    """Unpack the members that fit `keep` and not `drop` under `out`; their relative paths, sorted.

    Every member's name is checked, kept or not: one name that leaves the folder refuses the whole
    archive. Each `keep` pattern must fit at least one member.
    """
    done: list[Path] = []
    unused, total = set(keep), 0
    with open_members(archive) as members:
        for member in members:
            target = _safe_target(out, member.name, archive)
            if not wanted(member.name, keep, drop):
                continue
            if not member.regular:
                msg = f"{archive}: refused, member {member.name!r} is not a plain file"
                raise UserError(msg)
            unused -= {pattern for pattern in unused if matches(member.name, pattern)}
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with _reading(archive):
                    source = member.open()
                with source:
                    total += _copy(source, target, max_bytes - total, archive)
            except OSError as error:
                if error.errno not in _NAMES:
                    raise
                shown = member.name if len(member.name) < 80 else f"{member.name[:60]}..."
                msg = f"{archive}: refused, member {shown!r} {_NAMES[error.errno]}"
                raise UserError(msg) from None
            done.append(target.relative_to(out))
    if unused:
        msg = f"{archive}: holds no file that fits {', '.join(sorted(unused))}"
        raise UserError(msg)
    if len(done) <= SYNCED:
        for path in done:
            flush(out / path)
    return sorted(done)
