"""Weights of the zoo's network, from the expressions of its units.

`tensors(kinds, units)` gives every array by the name that `network.ZooNetwork` loads. All are whole
numbers, and all sums stay far below 2**24, so float32 computes them exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from milan_core.world.zoo.drawing import GROUNDS, MARK_PAINT, PAINTS, glyph
from milan_core.world.zoo.expressions import (
    Atom,
    Expression,
    Graded,
    Joined,
    Minus,
    Number,
    Scenery,
)
from milan_core.world.zoo.facts import CELL, CELLS, COLORS, SHAPES, SIZES

WINDOW = 17
FREE = -1.0e9  # floor of a unit that may be negative
MANY = 8  # above any count
SCENERY = ("mark", "dark", "light")
TEMPLATES = tuple(product(COLORS, SHAPES, SIZES))


def tensors(kinds: Sequence[Atom], units: Sequence[Expression]) -> dict[str, np.ndarray]:
    """Every array float32 of the network.

    Args:
        kinds: units of layer `concepts`.
        units: units of layer `logic`; their atoms must be among `kinds`.

    """
    return {**_pixels(), **_colors(), **_centers(kinds), **_logic(kinds, units)}


def texture(side: int) -> np.ndarray:
    """Values from 1/2 without order, all different, and four 1 at the left edge: [side, side].

    The left edge is always ground, so a texture on the ground has 1 for its maximum. All are
    multiples of a power of two, so float32 keeps sums exact.
    """
    count = side * side  # a power of two: multiplying by an odd number permutes
    values = (1 / 2 + np.arange(count) * 2741 % count / (2 * count)).reshape(side, side)
    values[side // 8 :: side // 4, 0] = 1
    return values.astype(np.float32)


def _pixels() -> dict[str, np.ndarray]:
    ranges = [np.array([paint, paint]) for paint in (*PAINTS.values(), MARK_PAINT)]
    ranges += [np.array([[end] * 3 for end in GROUNDS[tone]]) for tone in ("dark", "light")]
    count = len(ranges)
    outside, bias = np.zeros((6 * count, 3)), np.zeros(6 * count)
    within = np.zeros((count, 6 * count))
    for i, (low, high) in enumerate(ranges):
        for channel in range(3):
            below = 6 * i + 2 * channel
            outside[below, channel], bias[below] = -1, low[channel]
            outside[below + 1, channel], bias[below + 1] = 1, -high[channel]
        within[i, 6 * i : 6 * i + 6] = -1
    return {
        "pixels.outside.weight": _kernels(outside),
        "pixels.outside.bias": bias.astype(np.float32),
        "pixels.within.weight": _kernels(within),
        "pixels.within.bias": np.ones(count, np.float32),
    }


def _colors() -> dict[str, np.ndarray]:
    """A pixel of a paint has 1/2 and 1/16 for each like neighbor less one; tones have a texture."""
    paints, count = len(PAINTS), len(PAINTS) + len(SCENERY)
    around = np.zeros((count, 1, 3, 3), np.float32)
    around[:paints] = 1 / 16
    around[:, :, 1, 1] += 1
    bias = np.zeros(count, np.float32)
    bias[:paints] = -9 / 16
    ground = {side: np.zeros((count, side, side), np.float32) for side in (64, 32)}
    for side, values in ground.items():
        values[-2:] = texture(side) - 1
    return {
        "colors.around.weight": around,
        "colors.around.bias": bias,
        "colors.texture": ground[64],
        "ground": ground[32][paints:],
    }


def _kernels(matrix: np.ndarray) -> np.ndarray:
    return matrix.astype(np.float32)[:, :, None, None]


def template(shape: str, size: str) -> np.ndarray:
    """1 inside the glyph, -1 elsewhere in its box, 0 outside: float32 [WINDOW, WINDOW]."""
    inside = np.pad(np.where(glyph(shape, size), 1.0, -1.0), 1, constant_values=-1.0)
    return np.pad(inside, (WINDOW - len(inside)) // 2).astype(np.float32)


def _centers(kinds: Sequence[Atom]) -> dict[str, np.ndarray]:
    kernels = np.stack([template(shape, size)[None] for _, shape, size in TEMPLATES])
    areas = np.array([glyph(shape, size).sum() for _, shape, size in TEMPLATES])
    allowed = np.zeros((2 * len(kinds), len(TEMPLATES)))
    where = np.ones((2 * len(kinds), 32, 32), np.float32)
    for i, kind in enumerate(kinds):
        for place in (i, i + len(kinds)):
            allowed[place] = [
                _allows(kind, *one) and SIZES.index(one[2]) == place // len(kinds)
                for one in TEMPLATES
            ]
            where[place] = _where(kind.place)
    return {
        "centers.templates.weight": kernels,
        "centers.templates.bias": (1 - areas).astype(np.float32),
        "centers.kinds.weight": _kernels(allowed),
        "centers.where": where,
    }


def _allows(kind: Atom, color: str, shape: str, size: str) -> bool:
    given = ((kind.color, color), (kind.shape, shape), (kind.size, size))
    return all(wanted in (None, value) for wanted, value in given)


def _where(place: str | None) -> np.ndarray:
    """1 at the positions of centers in the place's cells: float32 [32, 32]."""
    where = np.ones((32, 32), np.float32)
    if place is None:
        return where
    across = place in ("left", "right")
    starts = CELLS[0] if across else CELLS[1]
    start = starts[0] if place in ("left", "top") else starts[2]
    centers = 2 * np.arange(32)
    line = ((centers >= start) & (centers < start + CELL)).astype(np.float32)
    return where * (line if across else line[:, None])


class _Hidden:
    """Rows of the hidden layer, made as units ask for them; equal rows are one."""

    def __init__(self, place: Mapping[str, int]) -> None:
        self.place = place
        self.rows: dict[tuple[tuple[tuple[int, float], ...], float], int] = {}

    def row(self, bias: float, texture: float = 0, **terms: Sequence[tuple[str, float]]) -> int:
        """The row relu(bias + sum w * input); inputs by `map`, `any` and `count` of an atom.

        `texture` is the weight of the texture, which is 1 at most.
        """
        offsets = {"map": 0, "any": len(self.place), "count": 2 * len(self.place)}
        weights = [(3 * len(self.place), texture)] if texture else []
        weights += [
            (offsets[kind] + self.place[name], weight)
            for kind, pairs in terms.items()
            for name, weight in pairs
        ]
        return self.rows.setdefault((tuple(sorted(weights)), bias), len(self.rows))


Output = tuple[dict[int, float], float, float]  # weights of hidden rows, bias, floor


def _logic(kinds: Sequence[Atom], units: Sequence[Expression]) -> dict[str, np.ndarray]:
    place = {name: i for i, name in enumerate([*map(str, kinds), *SCENERY])}
    hidden = _Hidden(place)
    outputs = [_unit(unit, hidden) for unit in units]
    weights = np.zeros((len(hidden.rows), 3 * len(place) + 1))
    bias = np.zeros(len(hidden.rows), np.float32)
    for (terms, constant), row in hidden.rows.items():
        bias[row] = constant
        for column, weight in terms:
            weights[row, column] += weight
    out = np.zeros((len(units), len(hidden.rows)))
    for i, (rows, _, _) in enumerate(outputs):
        for row, weight in rows.items():
            out[i, row] += weight
    return {
        "logic.hidden.weight": _kernels(weights),
        "logic.hidden.bias": bias,
        "logic.output.weight": _kernels(out),
        "logic.output.bias": np.array([bias for _, bias, _ in outputs], np.float32),
        "logic.texture": texture(32)[None, None],
        "logic.floor": np.array([floor for _, _, floor in outputs], np.float32)[
            None, :, None, None
        ],
    }


def _unit(unit: Expression, hidden: _Hidden) -> Output:
    """The computation of a unit; its map is non-zero where the things are that make it fire."""
    if isinstance(unit, Atom | Scenery):
        return {hidden.row(0, map=[(str(unit), 1)]): 1}, 0, 0
    if isinstance(unit, Number):
        never = hidden.row(-2, any=[(next(iter(hidden.place)), 1)])  # 1 at most, less 2
        return {never: 1}, unit.number, 0
    if isinstance(unit, Graded):
        return _graded(unit, hidden)
    if isinstance(unit, Minus):
        first = hidden.row(-1, 1, any=[(str(unit.first), 1)])
        second = hidden.row(0, any=[(str(unit.second), 1)])
        return {first: 1, second: -1}, 0, FREE
    assert isinstance(unit, Joined)
    return {"and": _all, "or": _any, "not": _none}[unit.how](unit, hidden)


def _graded(unit: Graded, hidden: _Hidden) -> Output:
    atom = str(unit.atom)
    if unit.how == "count":  # the count where a thing is, else 0
        return {hidden.row(-MANY, map=[(atom, MANY)], count=[(atom, 1)]): 1}, 0, 0
    small, large = (
        str(Atom(unit.atom.shape, unit.atom.color, size, unit.atom.place)) for size in SIZES
    )
    return {hidden.row(0, map=[(small, 1), (large, 2)]): 1}, 0, 0


def _any(unit: Joined, hidden: _Hidden) -> Output:
    """The union of the maps of all parts."""
    return _union([str(part) for part in unit.parts], hidden), 0, 0


def _union(parts: Sequence[str], hidden: _Hidden) -> dict[int, float]:
    """The larger of two maps, or min(1, sum) of others: hidden rows with their weights."""
    if len(parts) == 2:
        first, second = parts
        return {
            hidden.row(0, map=[(first, 1)]): 1,
            hidden.row(0, map=[(first, -1), (second, 1)]): 1,
        }
    maps = [(part, 1.0) for part in parts]
    return {hidden.row(0, map=maps): 1, hidden.row(-1, map=maps): -1}


def _none(unit: Joined, hidden: _Hidden) -> Output:
    """The texture everywhere, where nothing of it is anywhere."""
    return {hidden.row(0, 1, any=[(str(part), -1.0) for part in unit.parts]): 1}, 0, 0


def _all(unit: Joined, hidden: _Hidden) -> Output:
    """The maps of what must be there, where all of it is and nothing is that must not be."""
    there = [(str(part), 1.0) for part in unit.parts if not isinstance(part, Joined)]
    absent = [
        (str(one), -1.0)
        for part in unit.parts
        if isinstance(part, Joined) and part.how == "not"
        for one in part.parts
    ]
    all_there = hidden.row(1 - len(there), any=[*there, *absent])
    return {**_union([name for name, _ in there], hidden), all_there: 1.0}, -1, 0
