"""Files of one array (.npy), with headers checked before NumPy takes memory for what they say.

NumPy believes a header: a shape of 2^40 rows asks for memory, and a type without bytes divides by
zero, which ends the process.
"""

from __future__ import annotations

import math
import mmap
import os
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from milan_core.core.errors import UserError, reading
from milan_core.core.files import atomic_path, reserve

LONGEST = 10_000  # letters of a header


class NpyHeader(NamedTuple):
    """The header of a .npy file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool  # columns first
    offset: int  # of the numbers, in bytes


def npy_header(path: Path | str) -> NpyHeader:
    """The header of a .npy file.

    Raises:
        UserError: the file is missing, is no .npy file, holds Python objects, or is shorter or
            longer than its header says.

    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"array not found: {path}; run the stage that writes it")
    with reading(path, "a readable .npy array"), path.open("rb") as handle:
        return read_npy_header(handle, path.stat().st_size)


def read_npy_header(handle: IO[bytes], size: int) -> NpyHeader:
    """The header at the start of `size` bytes; whatever cannot be one is a `ValueError`.

    Also raises what NumPy's parser does: `TypeError`, `SyntaxError`, `tokenize.TokenError`, ...
    """
    version = np.lib.format.read_magic(handle)
    readers: dict[tuple[int, int], Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"its format is version {version[0]}.{version[1]}, expected 1.0 or 2.0")
    shape, fortran, dtype = readers[version](handle, max_header_size=LONGEST)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"it holds {dtype}, expected numbers")
    if min(shape, default=0) < 0:
        raise ValueError(f"its shape is {shape}")
    needed = handle.tell() + dtype.itemsize * math.prod(shape)
    if size < needed:
        raise ValueError(f"{dtype} {shape} needs {needed} bytes, it has {size}: it is cut short")
    if size > needed:
        raise ValueError(
            f"{size - needed} bytes follow its {dtype} {shape}, such as a second array that was "
            "saved behind it: keep each in a file of its own"
        )
    return NpyHeader(dtype, shape, bool(fortran), handle.tell())


def map_new(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap:
    """A new .npy file as a writable memory map, zeros, with its blocks reserved on the disk.

    A process that writes through a map to a full disk is killed without a word; with the blocks
    reserved, a full disk is an `OSError` here.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    handle = os.open(path, os.O_RDWR)
    try:
        reserve(handle)
    finally:
        os.close(handle)
    return array


class _Chunks:
    """A file that NumPy writes in pieces: `tofile` hides why a disk refused."""

    def __init__(self, handle: Any) -> None:
        self.write = handle.write


def write_npy(path: Path | str, array: np.ndarray) -> None:
    """Write one array as .npy, atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.save(_Chunks(handle), array, allow_pickle=False)


def read_npy(path: Path | str, mmap: bool = False) -> np.ndarray:
    """Read one .npy array; with `mmap` the pages are read only when touched."""
    npy_header(path)
    with reading(path, "a readable .npy array"):
        array: np.ndarray = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        return array


def drop_pages(array: np.ndarray) -> None:
    """Drop the resident pages of a memory-mapped array (`MADV_DONTNEED`)."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)
