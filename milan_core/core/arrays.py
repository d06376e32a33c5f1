"""Headers of .npy files, checked before NumPy takes memory for what they say.

NumPy believes a header: a shape of 2^40 rows asks for memory, and a type without bytes divides by
zero, which ends the process.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from milan_core.core.errors import UserError, reading

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
        UserError: the file is missing, is no .npy file, holds Python objects, or is shorter than
            its header says.

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
    return NpyHeader(dtype, shape, bool(fortran), handle.tell())
