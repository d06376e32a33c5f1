"""Atomic writes, canonical JSON, hashes, and the readers of JSON and CSV files.

Every artifact is written under a temporary name in its own folder and renamed, so that a killed job
leaves either the old file or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.cells import Row
from milan_core.core.errors import UserError
from milan_core.core.lock import publishing
from milan_core.core.temporaries import temporary_path


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def text_hash(text: str, digits: int = 12) -> str:
    """The first `digits` hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without error.

    The file is flushed to the disk before it gets its name. Temporaries that processes of this
    machine left when they were killed are removed first.

    Raises:
        UserError: where the disk is full, read-only or closed to this user, or a size limit is met.

    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(path)
        try:
            yield temporary
            flush(temporary)
            with publishing():
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


_CANNOT_WRITE = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your quota of the disk is used up; free some space",
    errno.EFBIG: "the file would be larger than the limit on file sizes; see `ulimit -f`",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a part of the path is a file",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


def cannot_write(error: OSError) -> str | None:
    """Why the operating system refused to write; None for other errors."""
    return _CANNOT_WRITE.get(error.errno or 0)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into one sentence."""
    try:
        yield
    except OSError as error:
        reason = cannot_write(error)
        if reason is None and not (isinstance(error, FileNotFoundError) and _is_at(error, path)):
            raise
        raise UserError(
            f"cannot write {path}: {reason or error.strerror}; give a folder you may write to "
            "(--out, or `pathvars` in the config)"
        ) from error


def _is_at(error: OSError, path: Path) -> bool:
    """Whether the error is about the folder of `path`, not about something that is read."""
    return error.filename is not None and Path(os.fsdecode(error.filename)) in path.parents


def flush(path: Path) -> None:
    """Bring a file's bytes to the disk, so that a power cut after the rename finds them."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reserve(handle: int) -> None:
    """Give an open sparse file its blocks on the disk; raises `OSError` where there is no room."""
    if size := os.fstat(handle).st_size:
        os.posix_fallocate(handle, 0, size)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically.

    Bytes of file names that are not UTF-8 are written as JSON escapes, `\\udcXX`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as readable JSON with sorted keys."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path | str, what: str = "file") -> Any:
    """Read a JSON file, or say in one sentence why it cannot be read."""
    text = read_text(path, what)
    try:
        return json_of(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{what} {path} is not valid JSON: {error}") from None
    except RepeatedKeyError as error:
        raise UserError(f"{what} {path}: {error}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
        raise UserError(f"{what} {path}: a number is too long, or values nest too deeply") from None


class RepeatedKeyError(ValueError):
    """A key that occurs twice."""


def json_of(text: str) -> Any:
    """The value of a text of JSON; raises `ValueError` also for a key that an object has twice."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, times in Counter(k for k, _ in pairs).items() if times > 1)
        raise RepeatedKeyError(f"the key {name!r:.80} occurs twice in one object; keep one")
    return found


def read_text(path: Path | str, what: str = "file") -> str:
    """The text of a UTF-8 file, its byte order mark left out, or a sentence why not."""
    path = Path(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{what} not found: {path}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{what} {path} is not UTF-8 text: {error}") from None
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read: {error.strerror}") from None


def write_csv(path: Path | str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file with a header; floats are written with `repr`, so they read back exactly.

    A text that a spreadsheet would take for a formula is written behind an apostrophe, which
    spreadsheets hide and `read_csv` takes away again.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    write_text(path, buffer.getvalue())


SHOWN = 20
"""Columns of a table that a message lists."""
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def _guarded(cell: Any) -> Any:
    """A cell that is no formula: texts that begin as one get an apostrophe; numbers stay."""
    if not isinstance(cell, str) or not _FORMULA.match(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _plain(cell: str) -> str:
    """The text of a cell of `write_csv` that begins with an apostrophe."""
    return cell[1:] if _FORMULA.match(cell) else cell


def read_csv(path: Path | str, required: Sequence[str] = ()) -> list[Row]:
    """The rows of a CSV file with a header; see `numbered_rows`."""
    return [row for _, row in numbered_rows(path, required)]


def numbered_rows(path: Path | str, required: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
    """The rows of a CSV file with a header, each with the number of the line that it ends on.

    Rows know their place, so that a step can say which cell is no number (`core.cells`).

    UTF-8 with or without a byte order mark, comma-separated, as spreadsheets save "CSV UTF-8";
    every row as long as the header.

    Raises:
        UserError: with file and line, for another encoding, rows of other lengths, columns of one
            name, a missing column, or no header.

    """
    path = Path(path)
    lines = csv.reader(io.StringIO(_table_text(path), newline=""), strict=True)
    csv.field_size_limit(sys.maxsize)
    try:
        header = next(lines, [])
        _check_header(path, header, required)
        for cells in lines:
            if cells and len(cells) != len(header):
                raise UserError(
                    f"{path}, line {lines.line_num}: expected {len(header)} fields, got "
                    f"{len(cells)}; quote cells that hold commas"
                )
            if cells:
                line = lines.line_num
                texts = [_plain(cell) if cell[:1] == "'" else cell for cell in cells]
                yield line, Row(zip(header, texts, strict=True), path, line)
    except csv.Error as error:
        raise UserError(f"{path}, line {lines.line_num}: not a CSV table ({error})") from None


def _table_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"table not found: {path}") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; give a CSV file") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: not UTF-8; save the table as CSV UTF-8 (comma delimited)"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(
            f"{path}, line {line}: a NUL byte; this is no text file, save it as CSV UTF-8"
        )
    return text


def _check_header(path: Path, header: list[str], required: Sequence[str]) -> None:
    if not header:
        raise UserError(f"{path} is empty; expected a CSV table with a header")
    if twice := sorted(name for name, times in Counter(header).items() if times > 1):
        raise UserError(f"{path}: column {twice[0]!r:.80} appears twice in the header; rename one")
    if missing := [name for name in required if name not in header]:
        apart = len(header) == 1 and ";" in header[0]
        fix = "separate columns with commas" if apart else "rename the one that is meant"
        more = f" and {len(header) - SHOWN} more" if len(header) > SHOWN else ""
        has = ", ".join(f"{name:.80}" for name in header[:SHOWN]) + more
        raise UserError(f"{path}: missing column {', '.join(missing)}; its columns: {has}; {fix}")
