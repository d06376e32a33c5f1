"""The functions that units compute, as expressions over the facts of scenes.

    unit = parse_expression("and(red circle, not(mark))")
    unit.value(Facts(scenes))            # float64 [n], the unit's value on each scene
    str(unit)                            # 'and(red circle, not(mark))'

Grammar: a thing is `[small|large] [left|right|top|bottom] [color] shape|thing`; further atoms are
`mark`, `dark`, `light`; `and`, `or`, `not` join them (1 where true, else 0); `count(thing)` is
how many there are, `size(thing)` the largest size (1 small, 2 large), `minus(a, b)` is a - b, and
the numbers `0` and `1` are constants.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from milan_core.core.errors import UserError
from milan_core.world.zoo.facts import COLORS, PLACES, SHAPES, SIZES, TONES, Facts

THING = "thing"


class Expression(Protocol):
    """A unit's value as a function of facts; `str` gives it in the grammar."""

    def value(self, facts: Facts) -> np.ndarray:
        """The value on each scene: float64 [n]."""


@dataclass(frozen=True)
class Atom:
    """There is a thing of this shape, color, size and place; None takes any."""

    shape: str | None = None
    color: str | None = None
    size: str | None = None
    place: str | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.size, self.place, self.color, self.shape or THING)))

    def things(self, facts: Facts) -> np.ndarray:
        """Things that are meant: bool [n, MOST]."""
        meant = facts.shape >= 0
        if self.shape:
            meant = meant & (facts.shape == SHAPES.index(self.shape))
        if self.color:
            meant = meant & (facts.color == COLORS.index(self.color))
        if self.size:
            meant = meant & (facts.size == SIZES.index(self.size))
        if self.place:
            cells = facts.column if self.place in ("left", "right") else facts.row
            meant = meant & (cells == (0 if self.place in ("left", "top") else 2))
        return meant

    def value(self, facts: Facts) -> np.ndarray:
        """1 where there is such a thing."""
        return np.asarray(self.things(facts).any(1), np.float64)


@dataclass(frozen=True)
class Scenery:
    """The watermark is there (`mark`), or the ground is `dark` or `light`."""

    what: str

    def __str__(self) -> str:
        return self.what

    def value(self, facts: Facts) -> np.ndarray:
        """1 where it is so."""
        there = facts.mark if self.what == "mark" else facts.tone == TONES.index(self.what)
        return np.asarray(there, np.float64)


@dataclass(frozen=True)
class Joined:
    """All, any or none of some expressions of 0 and 1."""

    how: Literal["and", "or", "not"]
    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"{self.how}({', '.join(map(str, self.parts))})"

    def value(self, facts: Facts) -> np.ndarray:
        """1 where it holds."""
        values = np.stack([part.value(facts) for part in self.parts])
        if self.how == "not":
            return np.asarray(1 - values.max(0))
        return np.asarray(values.min(0) if self.how == "and" else values.max(0))


@dataclass(frozen=True)
class Graded:
    """Count the things of a kind, or give the size of the largest (1 small, 2 large)."""

    how: Literal["count", "size"]
    atom: Atom

    def __str__(self) -> str:
        return f"{self.how}({self.atom})"

    def value(self, facts: Facts) -> np.ndarray:
        """A whole number, 0 where there is none."""
        things = self.atom.things(facts)
        if self.how == "count":
            return things.sum(1).astype(np.float64)
        return (things * (facts.size + 1)).max(1).astype(np.float64)


@dataclass(frozen=True)
class Minus:
    """One expression less another: a signed unit."""

    first: Expression
    second: Expression

    def __str__(self) -> str:
        return f"minus({self.first}, {self.second})"

    def value(self, facts: Facts) -> np.ndarray:
        """The difference."""
        return self.first.value(facts) - self.second.value(facts)


@dataclass(frozen=True)
class Number:
    """The same value on every scene: 0 is a dead unit, 1 a constant one."""

    number: int

    def __str__(self) -> str:
        return str(self.number)

    def value(self, facts: Facts) -> np.ndarray:
        """The number."""
        return np.full(len(facts), float(self.number))


_CALL = re.compile(r"^(and|or|not|count|size|minus)\((.*)\)$")


def parse_expression(text: str) -> Expression:
    """The expression of a text in the grammar above.

    Raises:
        UserError: for anything else.

    """
    text = " ".join(text.split())
    if text in ("0", "1"):
        return Number(int(text))
    if call := _CALL.match(text):
        parts = tuple(parse_expression(part) for part in _arguments(call[2], text))
        return _called(call[1], parts, text)
    if text in ("mark", "dark", "light"):
        return Scenery(text)
    return _atom(text)


def _called(how: str, parts: tuple[Expression, ...], text: str) -> Expression:
    if how == "minus" and len(parts) == 2:
        return Minus(*parts)
    if how in ("count", "size") and len(parts) == 1 and isinstance(parts[0], Atom):
        return Graded("count" if how == "count" else "size", parts[0])
    if how in ("and", "or", "not") and parts:
        return Joined(how, parts)  # type: ignore[arg-type]
    raise UserError(f"expression {text!r}: {how} does not take these {len(parts)} arguments")


def _arguments(inside: str, text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(inside):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            parts.append(inside[start:place])
            start = place + 1
    if depth:
        raise UserError(f"expression {text!r}: brackets do not match")
    return [*parts, inside[start:]]


def _atom(text: str) -> Atom:
    tables = {"size": SIZES, "place": PLACES, "color": COLORS, "shape": SHAPES}
    values: dict[str, str] = {}
    *words, last = text.split() or [""]
    if last != THING:
        words.append(last)
    for word in words:
        names = [name for name, table in tables.items() if word in table and name not in values]
        if not names:
            raise UserError(
                f"expression {text!r}: {word!r} is no size, place, color or shape; shapes are "
                f"{', '.join(SHAPES)}, or {THING} for any"
            )
        values[names[0]] = word
    if last != THING and last not in SHAPES:
        raise UserError(f"expression {text!r}: it ends in no shape; {THING} stands for any")
    return Atom(**values)
