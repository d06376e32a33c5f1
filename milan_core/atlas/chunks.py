"""Data of the atlas as scripts: `milan.add(key, value)`.

A page from disk may load scripts and nothing else that holds data, so every chunk is one call
with JSON inside. Numbers have five significant digits; NaN and infinity become null.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from milan_core.core.errors import UserError, reads
from milan_core.core.files import write_bytes

DIGITS = 5
Item = TypeVar("Item")
_ESCAPED = re.compile("[<\u2028\u2029\ud800-\udfff]")  # markup, line ends of scripts, lone halves


_READY = (str, int, bool, type(None))


def plain(value: Any, digits: int = DIGITS) -> Any:
    """A value of JSON: numbers rounded to significant digits, without NaN and infinity."""
    kind = type(value)
    if kind is float:
        return rounded(value, digits)
    if kind in _READY:
        return value
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), digits)
    if isinstance(value, np.generic):
        return plain(value.item(), digits)
    return value


def rounded(value: float, digits: int = DIGITS) -> float | int | None:
    """A number with so many significant digits; whole ones without a point; NaN is None."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def script(key: str, value: Any) -> bytes:
    """The script of one chunk, UTF-8; no `<` stands in it, whatever the texts hold."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    return f"milan.add({json.dumps(key)},{text});\n".encode()


def write_chunk(folder: Path, key: str, value: Any) -> None:
    """Write `data/<key>.js` below the folder of an atlas."""
    write_bytes(folder / "data" / f"{key}.js", script(key, value))


def parts(items: Sequence[Item], size: int) -> Iterator[tuple[int, Sequence[Item]]]:
    """(number, items) of every `size` items; the last part may be shorter."""
    for start in range(0, len(items), size):
        yield start // size, items[start : start + size]


@reads("a chunk of an atlas", "build the atlas again")
def _read(path: Path, key: str) -> Any:
    text = path.read_text(encoding="utf-8")
    start, end = f"milan.add({json.dumps(key)},", ");\n"
    if not text.startswith(start) or not text.endswith(end):
        raise UserError(f"{path} is no chunk of an atlas named {key}; build the atlas again")
    return json.loads(text[len(start) : -len(end)])


def read_chunk(folder: Path, key: str) -> Any:
    """The value of a chunk of the atlas in `folder`.

    Raises:
        UserError: where it is missing, or holds something else.

    """
    path = folder / "data" / f"{key}.js"
    if not path.is_file():
        raise UserError(f"{folder} is no atlas, or not a whole one: {path} is missing")
    return _read(path, key)
