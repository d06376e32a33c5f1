"""Large .npy files: rows mapped on demand within a memory budget, and written piece by piece.

A published set has up to 15 GB of images and masks (spec 6.4). Pages of a mapping that were read
stay resident until the system needs memory, and a job with a memory limit is killed before that.
`Residency` drops them (`MADV_DONTNEED`); views stay valid, because a page that is touched again is
read again.
"""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.arrays import npy_header
from milan_core.core.errors import UserError
from milan_core.core.files import atomic_path, reserve

BUDGET = 256 << 20  # bytes handed out before all mapped pages are dropped

Put = Callable[[int | tuple[int, ...], np.ndarray], None]


class Residency:
    """Counts the bytes that mapped arrays hand out and drops their pages at `budget`."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._maps: list[mmap.mmap] = []
        self._handed = 0

    def watch(self, mapped: mmap.mmap) -> None:
        """Drop the pages of `mapped` too."""
        self._maps.append(mapped)

    def hand_out(self, size: int) -> None:
        """Count `size` bytes that are about to be read."""
        self._handed += size
        if self._handed > self._budget:
            self._handed = size
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)  # read-only file mapping: nothing is lost


class MappedArray:
    """A .npy file, mapped read-only; `shape` and `dtype` as stored."""

    def __init__(self, path: Path, residency: Residency) -> None:
        self.path = path
        self.dtype, self.shape, offset = read_header(path)
        with path.open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._map, self.dtype, math.prod(self.shape), offset)
        self._array = flat.reshape(self.shape)
        self._residency = residency
        residency.watch(self._map)

    def row(self, index: int) -> np.ndarray:
        """Read-only view of one entry of the first axis."""
        row: np.ndarray = self._array[index]
        self._residency.hand_out(row.nbytes)
        return row


def read_header(path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """(dtype, shape, offset of the data) of a .npy file of plain numbers in C order.

    Raises:
        UserError: when the file is missing, cut short, empty, or holds Python objects.

    """
    dtype, shape, fortran, offset = npy_header(path)
    if dtype.kind not in "buif" or fortran or min(shape, default=0) < 1:
        msg = f"{path}: expected a C-ordered array of numbers, got {dtype} {shape}"
        raise UserError(msg)
    return dtype, shape, offset


def scratch_array(folder: Path, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros in a nameless file in `folder`; `arrays.drop_pages` frees their memory.

    The space on disk is free again when the last view of them is gone, after a kill too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as handle:
        array = np.memmap(handle, dtype, "w+", shape=shape)
        reserve(handle.fileno())
        return array


@contextmanager
def npy_pieces(path: Path, shape: tuple[int, ...], dtype: Any) -> Iterator[Put]:
    """Write a .npy file piece by piece; it appears under `path` when the block ends without error.

    Yields `put(index, piece)`: `piece` goes to where entry `index` of the leading axes starts, and
    may span several entries. Places that are never put stay zero and take no disk space.
    """
    kind = np.dtype(dtype)
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        start = handle.tell()
        handle.truncate(start + kind.itemsize * math.prod(shape))

        def put(index: int | tuple[int, ...], piece: np.ndarray) -> None:
            where = (index,) if isinstance(index, int) else index
            entry = int(np.ravel_multi_index(where, shape[: len(where)]))
            handle.seek(start + entry * kind.itemsize * math.prod(shape[len(where) :]))
            handle.write(np.ascontiguousarray(piece, dtype=kind).data)

        yield put
