"""The versioned tensor file: arrays and JSON metadata with kind, version and checksum.

The format is safetensors, so other tools read the arrays. `load_tensors` and `map_tensors` refuse
other kinds, other versions and damage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from milan_core.core.arrays import drop_pages
from milan_core.core.errors import UserError
from milan_core.core.files import atomic_path, canonical_json
from milan_core.core.options import parse_json

Meta = TypeVar("Meta")
PIECE = 64 << 20  # bytes of an array that are hashed or written at once


def _pieces(array: np.ndarray) -> Iterator[memoryview]:
    """The bytes of an array in C order by pieces, so that a mapped one stays out of memory."""
    flat = np.asarray(array, order="C").reshape(-1)
    step = max(1, PIECE // flat.itemsize)
    for start in range(0, flat.size, step):
        yield flat[start : start + step].data.cast("B")
        drop_pages(array)


def _digest(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> str:
    told = {key: header[key] for key in ("kind", "version", "meta")}
    digest = hashlib.sha256(canonical_json(told).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        for piece in _pieces(array):
            digest.update(piece)
    return digest.hexdigest()


# NumPy's codes of the numbers that safetensors has, in the order of its files, last ones first.
_NAMES = {
    **{"b1": "BOOL", "u1": "U8", "i1": "I8", "i2": "I16", "u2": "U16", "f2": "F16"},
    **{"i4": "I32", "u4": "U32", "f4": "F32", "f8": "F64", "i8": "I64", "u8": "U64"},
}
_ORDER = list(_NAMES)


def _code(array: np.ndarray) -> str:
    return array.dtype.str.lstrip("<|")


def save_tensors(
    path: Path | str, kind: str, version: int, arrays: Mapping[str, np.ndarray], meta: Any = None
) -> None:
    """Write arrays and JSON metadata as one safetensors file with kind, version and checksum.

    The bytes are those of `safetensors.numpy.save`, which would need twice the arrays' size more
    memory. Arrays of other numbers than safetensors has are a `ValueError`.
    """
    if unknown := [str(a.dtype) for a in arrays.values() if _code(a) not in _NAMES]:
        raise ValueError(f"safetensors has no {', '.join(unknown)}")
    header = {"kind": kind, "version": version, "meta": meta or {}}
    header["sha256"] = _digest(arrays, header)
    order = sorted(arrays, key=lambda name: (-_ORDER.index(_code(arrays[name])), name))
    fields: dict[str, Any] = {"__metadata__": {"milan": canonical_json(header)}}
    end = 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        facts = {"dtype": _NAMES[_code(arrays[name])], "shape": list(arrays[name].shape)}
        fields[name] = {**facts, "data_offsets": [start, end]}
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        handle.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            for piece in _pieces(arrays[name]):
                handle.write(piece)


def load_tensors(
    path: Path | str, kind: str, meta: type[Meta], versions: Sequence[int] = (1,)
) -> tuple[dict[str, np.ndarray], Meta]:
    """Read a file of `save_tensors`: arrays, and metadata of the type `meta`.

    Raises:
        UserError: for other kinds and versions, for damage, and for metadata of other types.

    """
    return _checked(path, kind, meta, versions, _read_arrays)


def map_tensors(
    path: Path | str, kind: str, meta: type[Meta], versions: Sequence[int] = (1,)
) -> tuple[dict[str, np.ndarray], Meta]:
    """As `load_tensors`, with read-only arrays whose pages are read when touched."""
    return _checked(path, kind, meta, versions, _map_arrays)


def tensors_kind(path: Path | str) -> str:
    """The kind that `save_tensors` wrote into the header; empty for other files."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as handle:
            return str(json.loads((handle.metadata() or {})["milan"])["kind"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return ""


def _read_arrays(path: Path, handle: Any) -> dict[str, np.ndarray]:
    return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118


def _map_arrays(path: Path, handle: Any) -> dict[str, np.ndarray]:
    """The tensors of a file that safetensors has opened, and so found to be sound."""
    with path.open("rb") as source:
        size = int.from_bytes(source.read(8), "little")
        told = json.loads(source.read(size))
    types = {name: np.dtype(f"<{code}") for code, name in _NAMES.items()}
    arrays: dict[str, np.ndarray] = {}
    for name in handle.keys():  # noqa: SIM118
        facts = told[name]
        shape, kind = tuple(facts["shape"]), types[facts["dtype"]]
        begin, end = facts["data_offsets"]
        there = begin < end  # a mapping cannot be empty
        place = 8 + size + begin
        arrays[name] = np.memmap(path, kind, "r", place, shape) if there else np.zeros(shape, kind)
    return arrays


def _checked(
    path: Path | str,
    kind: str,
    meta: type[Meta],
    versions: Sequence[int],
    read: Callable[[Path, Any], dict[str, np.ndarray]],
) -> tuple[dict[str, np.ndarray], Meta]:
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{kind} file not found: {path}")
    try:
        with safe_open(path, framework="numpy") as handle:
            raw = (handle.metadata() or {}).get("milan")
            arrays = read(path, handle)
    # The last three: types of tensors that NumPy lacks, bfloat16 and float8.
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged or not a {kind} file ({error}); delete it and run its stage again"
        ) from None
    if raw is None:
        raise UserError(f"{path} was not written by MILAN-workflow; expected a {kind} file")
    try:
        header = json.loads(raw)
        damaged = _digest(arrays, header) != header["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        damaged = True
    if damaged:
        raise UserError(f"{path}: checksum differs, the file is damaged; run its stage again")
    if header["kind"] != kind:
        raise UserError(f"{path} holds {header['kind']!r}, expected {kind!r}")
    if header["version"] not in versions:
        raise UserError(
            f"{path}: {kind} format version {header['version']}, this release reads "
            f"{', '.join(map(str, versions))}; run its stage again"
        )
    return arrays, parse_json(meta, header["meta"], f"metadata of {path}")
