"""Data of the atlas as scripts: `milan.add(key, value)`.

A page from disk may load scripts and nothing else that holds data, so every chunk is one call
with JSON inside. Numbers have five significant digits; NaN and infinity become null.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from milan_core.core.errors import UserError, reads
from milan_core.core.files import write_bytes
from milan_core.core.names import below

DIGITS = 5
Item = TypeVar("Item")
_ESCAPED = re.compile("[<\u2028\u2029\ud800-\udfff]")  # markup, line ends of scripts, lone halves


def plain(value: float, digits: int = DIGITS) -> str:
    """A number of JSON with so many significant digits; NaN and infinity are null."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "null"


def text_of(value: Any) -> str:
    """JSON of texts, numbers, lists, tuples, dictionaries and arrays, without spaces."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int:
        return str(value)
    if kind is float:
        return plain(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_name(k)}:{text_of(one)}" for k, one in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([_short(one) for one in value]) + "]"
    if isinstance(value, np.ndarray | np.generic):
        return text_of(value.tolist())
    return json.dumps(value)  # true, false, null; anything else is a mistake of ours


def _short(value: Any) -> str:
    """As `text_of`, without a call for what lists mostly hold."""
    return str(value) if type(value) is int else text_of(value)


def _name(key: Any) -> str:
    return encode_basestring(str(key))


def script(key: str, value: Any) -> bytes:
    """The script of one chunk, UTF-8; no `<` stands in it, whatever the texts hold."""
    text = _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", text_of(value))
    return f"milan.add({json.dumps(key)},{text});\n".encode()


def write_chunk(folder: Path, key: str, value: Any) -> None:
    """Write `data/<key>.js` below the folder of an atlas."""
    write_bytes(_place(folder, key), script(key, value))


def _place(folder: Path, key: str) -> Path:
    """The file of a chunk, which must lie in the folder: keys of packs are not trusted."""
    return below(folder / "data", f"{key}.js", "chunk of an atlas")


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
        UserError: where it is missing, lies outside the folder, or holds something else.

    """
    path = _place(folder, key)
    if not path.is_file():
        raise UserError(f"{folder} is no atlas, or not a whole one: {path} is missing")
    return _read(path, key)
