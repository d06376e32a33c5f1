"""Hostile contents of a file: every single change of shape or type that its format allows.

`variants` walks them in a fixed order: for JSON and the metadata of tensor files each value by one
of another type, and each key left out; for tables each column left out or with other cells, and
too few rows; for arrays another type, shape or length, and NaN. Checksums inside a file are right.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from faults.mutators import arrays_of

Variant = tuple[str, Callable[[], bytes]]  # what is done, and the contents
NAN, HUGE = float("nan"), 10**40
OTHERS: tuple[Any, ...] = ([], {}, [[]], "x", None, NAN, -1, HUGE, True)
CELLS = ("x", "", "nan", "-1", "1e999", "9" * 60, "../x", "0.5")
NODES = 40  # values of a tree that are replaced; the first of each place in lists


def variants(path: Path, data: bytes) -> Iterator[Variant]:
    """Hostile contents in place of `data`, each with what was done."""
    yield from _FORMATS.get(path.suffix, _raw)(data)


def _raw(data: bytes) -> Iterator[Variant]:
    yield "empty", lambda: b""
    yield "one letter", lambda: b"x"
    yield "noise", lambda: bytes(range(256))
    yield "the first half", lambda: data[: len(data) // 2]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to the values of a tree: all keys of mappings, the first item of lists."""
    yield at
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:1])
    for key, item in items:
        yield from places(item, (*at, key))


def with_value(tree: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy of a tree with another value at a place."""
    if not at:
        return value
    changed = copy.deepcopy(tree)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


def without(tree: Any, at: tuple[Any, ...]) -> Any:
    """A copy of a tree without the value at a place."""
    changed = copy.deepcopy(tree)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    del inner[at[-1]]
    return changed


def trees(tree: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """A tree with one value of another type or left out."""
    spots = list(places(tree))
    for at in spots[:: max(1, len(spots) // NODES)]:
        name = "/".join(map(str, at)) or "all"
        if at:
            yield f"without {name}", partial(without, tree, at)
        for other in OTHERS:
            yield f"{name} = {other}", partial(with_value, tree, at, other)


def _json(data: bytes) -> Iterator[Variant]:
    for name, tree in trees(json.loads(data)):
        yield name, partial(_dumped, tree)


def _dumped(tree: Callable[[], Any]) -> bytes:
    return json.dumps(tree()).encode()


def _csv(data: bytes) -> Iterator[Variant]:
    header, *rows = csv.reader(io.StringIO(data.decode()))
    yield "no rows", partial(_table, header, [])
    yield "one row", partial(_table, header, rows[:1])
    yield "a row fewer", partial(_table, header, rows[:-1])
    yield "rows twice", partial(_table, header, rows + rows)
    yield "rows backwards", partial(_table, header, rows[::-1])
    for column, name in enumerate(header):
        left = [[*row[:column], *row[column + 1 :]] for row in rows]
        yield f"without {name}", partial(_table, [*header[:column], *header[column + 1 :]], left)
        for cell in CELLS:
            changed = [list(row) for row in rows]
            for row in changed[:1]:
                row[column] = cell
            yield f"{name} = {cell}", partial(_table, header, changed)


def _table(header: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def others(array: np.ndarray) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """An array of another type, shape or length, and with odd numbers."""
    for kind in ("f8", "i8", "u1", "?"):
        yield f"as {kind}", partial(_cast, array, kind)
    yield "flat", lambda: array.reshape(-1)
    yield "a dimension more", lambda: array[None]
    yield "no rows", lambda: array.reshape(-1, *array.shape[1:])[:0]
    if array.ndim:
        yield "a row fewer", lambda: array[:-1]
        yield "rows twice", lambda: np.concatenate([array, array])
    numbers = (np.nan, np.inf, -1.0) if array.dtype.kind == "f" else (0, -1, 100, 2**30)
    for number in numbers:
        yield f"all {number}", partial(_filled, array, number)


def _cast(array: np.ndarray, kind: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        return array.astype(kind)


def _filled(array: np.ndarray, number: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.full_like(array, np.array(number).astype(array.dtype))


def _npy(data: bytes) -> Iterator[Variant]:
    for name, array in others(np.load(io.BytesIO(data))):
        yield name, partial(_saved, array)


def _saved(array: Callable[[], np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array())
    return buffer.getvalue()


def _tensors(data: bytes) -> Iterator[Variant]:
    ours, arrays = arrays_of(data)
    for what, meta in trees(ours["meta"]):
        yield f"meta: {what}", partial(_sealed, ours, arrays, meta)
    for name, array in arrays.items():
        left = {other: item for other, item in arrays.items() if other != name}
        yield f"without {name}", partial(_sealed, ours, left)
        for what, changed in others(array):
            yield f"{name}: {what}", partial(_sealed, ours, {**arrays, name: changed})


def _sealed(
    ours: dict[str, Any],
    arrays: dict[str, np.ndarray | Callable[[], np.ndarray]],
    meta: Callable[[], Any] | None = None,
) -> bytes:
    """A tensor file with its checksum, of arrays and metadata or of what makes them."""
    from milan_core.core.tensors import save_tensors

    made = {name: item() if callable(item) else item for name, item in arrays.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        save_tensors(path, ours["kind"], ours["version"], made, meta() if meta else ours["meta"])
        return path.read_bytes()


_FORMATS: dict[str, Callable[[bytes], Iterator[Variant]]] = {
    ".json": _json,
    ".csv": _csv,
    ".npy": _npy,
    ".safetensors": _tensors,
}
