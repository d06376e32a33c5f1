"""An array that is filled row by row and resumed after a kill.

    .FOLDER.images.npy.partial         the rows so far
    .FOLDER.images.npy.partial.json    how many are safe, and a digest of what they were made of

Both lie beside the folder of the finished array, since Snakemake deletes an output folder before a
job and after a failure. Rows are flushed before the record that counts them, and the record is
replaced atomically, so it never counts a row that is not on disk. Rows that were made of other
items or by other rules, and rows that were damaged since, are not reused.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from milan_core.core.arrays import map_new
from milan_core.core.errors import UserError
from milan_core.core.files import flush, read_json, write_json, writing
from milan_core.core.lock import owns_results, publishing

FORMAT = "milan-partial-array"
VERSION = 4
BLOCK = 256  # rows that are read at once
TAKEOVER = 120.0  # seconds for a job that was left behind to notice it

Facts = Callable[[int], str]  # what decides the row of an item, by its number


class Filling:
    """An unfinished array; items are taken in order and give one row or none."""

    def __init__(self, array: np.ndarray, record: Path, rules: str, facts: Facts) -> None:
        self.array = array
        self.rows = 0  # filled
        self.seen = 0  # items taken
        self.skipped: list[int] = []  # items without a row
        self.peak = 0  # largest value of a deep picture, see images.pictures
        self._record, self._facts = record, facts
        self._digest = hashlib.sha256(rules.encode())
        self._content = hashlib.sha256(_header(array))  # of the file so far

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, known without reading it again; empty while rows are missing."""
        return self._content.hexdigest() if self.rows == len(self.array) else ""

    def take(self, row: np.ndarray | None) -> None:
        """Take the row of the next item; None where it gives none."""
        if row is None:
            self.skipped.append(self.seen)
        else:
            self.array[self.rows] = row
            self._content.update(np.ascontiguousarray(row).data)
            self.rows += 1
        self._count()

    def save(self) -> None:
        """Flush the rows, then write the record that counts them."""
        self.array.flush()  # type: ignore[attr-defined]
        facts = {"seen": self.seen, "skipped": self.skipped, "peak": self.peak}
        facts |= {"made_of": self._digest.hexdigest(), "rows": self._content.hexdigest()}
        write_json(self._record, {"format": FORMAT, "version": VERSION, **facts})

    def resume(self, items: int) -> bool:
        """Resume from the record, if its rows were made of the first of the current `items`."""
        try:
            record = read_json(self._record, "record of a partial array")
            form = record["format"], record["version"]
            names = ("seen", "skipped", "peak", "made_of", "rows")
            seen, skipped, self.peak, made_of, rows = (record[key] for key in names)
            numbers = (seen, self.peak, *skipped)
            if form != (FORMAT, VERSION) or any(type(number) is not int for number in numbers):
                return False
            self.skipped, self.rows = list(skipped), seen - len(skipped)
            if not 0 < seen <= items or self.rows < 0:
                return False
            while self.seen < seen:
                self._count()
        except (UserError, KeyError, TypeError):
            return False  # no record, or an unreadable one
        for begin in range(0, self.rows, BLOCK):
            part = self.array[begin : min(begin + BLOCK, self.rows)]
            self._content.update(np.ascontiguousarray(part).data)
        return (self._digest.hexdigest(), self._content.hexdigest()) == (made_of, rows)

    def _count(self) -> None:
        self._digest.update(self._facts(self.seen).encode("utf-8", "surrogatepass"))
        self.seen += 1


def _header(array: np.ndarray) -> bytes:
    """The bytes before the first row of a mapped .npy file."""
    if not isinstance(array, np.memmap) or array.filename is None:
        return b""
    with Path(array.filename).open("rb") as file:
        return file.read(array.offset)


def partial_path(path: Path) -> Path:
    """The file of an array's rows until it is finished: beside its folder."""
    return path.parent.with_name(f".{path.parent.name}.{path.name}.partial")


@contextmanager
def filled_array(path: Path, shape: tuple[int, ...], rules: str, facts: Facts) -> Iterator[Filling]:
    """A memory-mapped uint8 .npy to fill; it is renamed to `path` when the block succeeds.

    Args:
        path: of the finished array.
        shape: of the array, one row an item.
        rules: what decides the rows besides the items.
        facts: what decides the row of each item, as text.

    """
    partial = partial_path(path)
    record = partial.with_name(f"{partial.name}.json")
    with _held(partial, path.parent):
        filling = _resumed(partial, record, shape, rules, facts)
        if filling is None:
            record.unlink(missing_ok=True)
            with writing(partial):
                array = map_new(partial, shape, np.uint8)
            filling = Filling(array, record, rules, facts)
        yield filling
        filling.array.flush()  # type: ignore[attr-defined]
        flush(partial)
        with publishing():
            partial.replace(path)
        record.unlink(missing_ok=True)


def _resumed(
    partial: Path, record: Path, shape: tuple[int, ...], rules: str, facts: Facts
) -> Filling | None:
    """The array that a killed run left, or None where none can be resumed."""
    try:
        np.lib.format.open_memmap(partial, mode="r")  # `r+` would lengthen one that was cut short
        array = np.lib.format.open_memmap(partial, mode="r+")
    except ValueError:  # empty, or cut short
        return None
    if (array.shape, array.dtype) != (shape, np.uint8):
        return None
    filling = Filling(array, record, rules, facts)
    return filling if filling.resume(shape[0]) else None


@contextmanager
def _held(partial: Path, folder: Path) -> Iterator[None]:
    """Lock the array against other processes; a dying process releases the lock."""
    import fcntl

    try:
        handle = os.open(partial, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        msg = f"cannot write {partial}: {error.strerror}; give a folder you may write to"
        raise UserError(msg) from None
    # A job that was started anew has taken over from the one before, which ends at its next save.
    deadline = time.monotonic() + (TAKEOVER if owns_results() else 0)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    msg = f"another run is building {folder}; wait for it, or give another folder"
                    raise UserError(msg) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
