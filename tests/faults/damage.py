"""Damage to bytes, lines, cells and trees of values.

Every function takes a `random.Random` and the bytes of a good file and gives bytes; the same seed
gives the same bytes.
"""

from __future__ import annotations

import itertools
import json
import random
import struct
from collections.abc import Callable
from typing import Any

Mutator = Callable[[random.Random, bytes], bytes]

NUMBERS = (0, 1, -1, 2, 3, 7, 15, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30)
ODD: tuple[Any, ...] = (
    *NUMBERS,
    *(0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "0", "top", "../x", "/x", "a\0b"),
    *("é" * 40, "=1+1", None, True, False, [], [1], {}, [[1]], {"a": 1}, "x" * 3000, [0] * 500),
)
CELLS = (
    *(
        "",
        "0",
        "1",
        "-1",
        "1e999",
        "nan",
        "inf",
        "9" * 400,
        "9" * 5000,
        "x",
        "²",
        "١",
        " 7 ",
        "1.5",
    ),
    *(
        '"',
        '""',
        "a,b",
        "\n",
        "\r",
        "\0",
        "=1+1",
        "é",
        "\ufeff",
        "\ud7ff",
        "x" * 5000,
        "../x",
        "True",
    ),
)


_SIGNS = (b'"', b",", b"\n", b"[", b"{")


def flip(rng: random.Random, data: bytes) -> bytes:
    """One bit."""
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(rng: random.Random, data: bytes) -> bytes:
    """The first part."""
    return data[: rng.randrange(len(data) + 1)] if data else data


def noise(rng: random.Random, data: bytes) -> bytes:
    """A few bytes set, removed, repeated, moved or added, mostly near the start."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        size = len(changed)
        near = rng.random() < 0.5
        place = rng.randrange(min(size, 200) if near and size else size or 1) if size else 0
        length = rng.choice((1, 2, 4, 8, 64))
        part = bytes(changed[place : place + length])
        match rng.randrange(6):
            case 0:
                changed[place : place + 1] = bytes(
                    [rng.choice((0, 1, 255, 34, 44, 10, 91, 123, 128))]
                )
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = part * rng.choice((1, 2, 50))
            case 3:
                number = rng.choice(NUMBERS) & (2**64 - 1)
                packed = struct.pack(rng.choice("<>") + "Q", number)
                changed[place : place + 8] = packed[: rng.choice((1, 2, 4, 8))]
            case 4:
                changed[place:place] = rng.randbytes(length)
            case 5:
                changed = bytearray(flip(rng, bytes(changed)))
    return bytes(changed)


def raw(rng: random.Random, data: bytes) -> bytes:
    """Bytes of any format."""
    return rng.choice((flip, cut, noise, noise, noise))(rng, data)


def text(rng: random.Random, data: bytes) -> bytes:
    """Lines repeated, dropped, swapped, joined; other encodings and line ends."""
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    match rng.randrange(10):
        case 0:
            lines.insert(place, lines[rng.randrange(len(lines))])
        case 1:
            del lines[place]
        case 2:
            other = rng.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        case 3:
            lines[place] = rng.choice(CELLS).encode("utf-8", "replace")
        case 4:
            return data.replace(b"\n", rng.choice((b"\r", b"\r\n", b"\n\n", b"", b"\x85", b"\x0c")))
        case 5:
            name = rng.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7"))
            return data.decode("utf-8", "replace").encode(name, "replace")
        case 6:
            return data + data
        case 7:
            lines[place] = lines[place] * rng.choice((2, 200))
        case _:
            return raw(rng, data)
    return b"\n".join(lines)


def table(rng: random.Random, data: bytes) -> bytes:
    """Cells of a CSV table."""
    if rng.random() < 0.3:
        return text(rng, data)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.randrange(len(lines))
        cells = lines[place].split(",")
        where = rng.randrange(len(cells))
        match rng.randrange(5):
            case 0 | 1:
                cells[where] = rng.choice(CELLS)
            case 2:
                cells.insert(where, rng.choice(CELLS))
            case 3:
                del cells[where]
            case 4:
                cells[where] = rng.choice(lines).split(",")[0]
        lines[place] = ",".join(cells)
    return "\n".join(lines).encode("utf-8", "replace")


def tree(rng: random.Random, value: Any) -> Any:
    """A value with one node replaced, removed, repeated or put deeper."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        copy = dict(value)
        match rng.randrange(12):
            case 0:
                del copy[key]
            case 1:
                copy[rng.choice(("x", "", "é", key + "x"))] = copy[key]
            case 2:
                copy[rng.choice(("", "0", "x", "../x"))] = copy.pop(key)
            case _:
                copy[key] = tree(rng, copy[key])
        return copy
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        items = list(value)
        match rng.randrange(10):
            case 0:
                del items[place]
            case 1:
                items.insert(place, items[rng.randrange(len(items))])
            case 2:
                items = items * 2
            case _:
                items[place] = tree(rng, items[place])
        return items
    if isinstance(value, bool | int | float) and rng.random() < 0.3:
        return rng.choice((value + 1, -value, value * 1000, str(value)))
    if rng.random() < 0.05:
        return nested(rng)
    return rng.choice(ODD)


def nested(rng: random.Random) -> Any:
    """Lists inside each other."""
    value: Any = 0
    for _ in range(rng.choice((10, 60, 500))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def as_json(rng: random.Random, data: bytes) -> bytes:
    """The values of a JSON file, or its text."""
    if rng.random() < 0.25:
        return text(rng, data)
    if rng.random() < 0.02:
        return b"[" * rng.choice((100, 100_000)) + data
    value = json.loads(data)
    for _ in range(rng.choice((1, 1, 2))):
        value = tree(rng, value)
    return json.dumps(value).encode("utf-8", "replace")


YAML_PARTS = (
    "!!python/object/apply:os.system ['touch PWNED']",
    *(
        "&a [*a]",
        "*missing",
        "<<: {a: 1}",
        "!!binary 'x'",
        "!!timestamp 2001-99-99",
        "!!set {a, b}",
    ),
    *(
        "? [a, b] : c",
        "2024-13-45",
        "0x",
        "1_000",
        ".inf",
        "~",
        "- -",
        "{",
        "[",
        "|",
        ">",
        "%YAML 9",
    ),
    *("!!int x", "!!float y", "!!omap [a]", "? {a: 1}\n: 2", "{[1]: 2}", "10:61:99", "'", '"\\x"'),
)


def as_yaml(rng: random.Random, data: bytes) -> bytes:
    """Values, tags, aliases and depth of a YAML file."""
    lines = data.decode("utf-8", "replace").split("\n")
    match rng.randrange(8):
        case 0:
            return text(rng, data)
        case 1:
            names = [f"a{i}" for i in range(rng.choice((3, 12)))]
            parts = ["a: &a0 [x, x, x]"]
            for a, b in itertools.pairwise(names):
                parts.append(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}]")
            return "\n".join([*parts, *lines]).encode()
        case 2:
            depth = rng.choice((20, 60, 3000))
            return b"x: " + b"[" * depth + b"]" * depth + b"\n" + data
        case _:
            place = rng.randrange(len(lines))
            head, colon, _ = lines[place].partition(":")
            value = rng.choice((*YAML_PARTS, *map(str, ODD)))
            lines[place] = f"{head}{colon} {value}" if colon else value
            return "\n".join(lines).encode("utf-8", "replace")
