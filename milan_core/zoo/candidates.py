"""Texts about a unit from right to wrong: the truth, parts of it, wrong attributes, constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from milan_core.core.seeding import generator
from milan_core.world.zoo.expressions import (
    Atom,
    Expression,
    Graded,
    Joined,
    Minus,
    Number,
    Scenery,
)
from milan_core.world.zoo.facts import COLORS, PLACES, SHAPES, SIZES
from milan_core.world.zoo.wording import description
from milan_core.zoo.units import PlantedUnit, planted_units

UNRELATED = 4  # texts of other units beside each unit's own
SAME = 0.999  # kappa from which a text says the same as the truth


@dataclass(frozen=True)
class Candidate:
    """One text and what it is to the unit.

    Roles: `truth`, `paraphrase`, `part` (half of an AND, a disjunct of an OR, presence in place of
    a count, more general or more special), `attribute` (another color, shape, size or place),
    `negation`, `unrelated` (truth of another unit), `constant`.
    """

    text: str
    role: str


def scored_units() -> list[PlantedUnit]:
    """Units that scores are compared on: one of each expression, neither dead nor constant."""
    distinct = {
        str(unit.expression): unit
        for unit in reversed(planted_units())
        if unit.kind not in ("dead", "constant", "duplicate")
    }
    return list(reversed(distinct.values()))


def candidates(unit: PlantedUnit, others: Sequence[PlantedUnit], seed: int) -> list[Candidate]:
    """Every candidate of a unit; unrelated ones are drawn from `others`."""
    made = [Candidate(unit.description, "truth")]
    made += [Candidate(text, "paraphrase") for text in unit.paraphrases]
    made += [Candidate(description(part), role) for part, role in _near(unit.expression)]
    words = {str(part) for part in _atoms(unit.expression)}
    far = [one for one in others if not words & {str(part) for part in _atoms(one.expression)}]
    rng = generator(seed, "zoo unrelated", str(unit.expression))
    chosen = rng.choice(len(far), UNRELATED, replace=False)
    made += [Candidate(far[int(i)].description, "unrelated") for i in chosen]
    made.append(Candidate(description(Number(1)), "constant"))
    distinct: dict[str, Candidate] = {}
    for one in made:
        distinct.setdefault(one.text, one)
    return list(distinct.values())


def _atoms(expression: Expression) -> list[Expression]:
    if isinstance(expression, Joined):
        return [atom for part in expression.parts for atom in _atoms(part)]
    if isinstance(expression, Graded):
        return [expression.atom]
    if isinstance(expression, Minus):
        return [*_atoms(expression.first), *_atoms(expression.second)]
    return [expression]


def _near(expression: Expression) -> Iterator[tuple[Expression, str]]:
    """Expressions that are partly right."""
    if isinstance(expression, Atom):
        yield from _near_atom(expression)
        yield Joined("not", (expression,)), "negation"
    elif isinstance(expression, Scenery):
        other = {"dark": "light", "light": "dark"}.get(expression.what)
        if other:
            yield Scenery(other), "attribute"
        heart = Atom("heart")
        yield Joined("or", (expression, heart)), "part"
        yield Joined("and", (expression, heart)), "part"
        yield Joined("not", (expression,)), "negation"
    elif isinstance(expression, Graded):
        yield expression.atom, "part"
        other_atom = _changed(expression.atom)[0]
        yield Graded(expression.how, other_atom), "attribute"
        yield Joined("not", (expression.atom,)), "negation"
    elif isinstance(expression, Minus):
        yield expression.first, "part"
        yield Joined("not", (expression.second,)), "part"
        yield Minus(expression.second, expression.first), "negation"
    elif isinstance(expression, Joined):
        yield from _near_joined(expression)


def _near_joined(expression: Joined) -> Iterator[tuple[Expression, str]]:
    parts = expression.parts
    if expression.how == "not":
        (denied,) = parts
        if isinstance(denied, Atom):
            yield Joined("not", (_changed(denied)[0],)), "attribute"
        yield denied, "negation"
        return
    for part in parts:
        yield part, "part"
    there = [part for part in parts if not isinstance(part, Joined)]
    if len(there) == len(parts):
        yield Joined("or" if expression.how == "and" else "and", parts), "part"
    for place, part in enumerate(parts):
        if isinstance(part, Atom):
            other = (*parts[:place], _changed(part)[0], *parts[place + 1 :])
            yield replace(expression, parts=other), "attribute"
    yield Joined("not", tuple(there)), "negation"


def _near_atom(atom: Atom) -> Iterator[tuple[Expression, str]]:
    fields = {name: getattr(atom, name) for name in ("shape", "color", "size", "place")}
    given = [name for name, value in fields.items() if value]
    if len(given) > 1:  # more general
        for name in given:
            yield replace(atom, **{name: None}), "part"
    for name, value in (("color", "green"), ("shape", "cross"), ("size", "large")):
        if not fields[name]:  # more special
            yield replace(atom, **{name: value}), "part"
    for other in _changed(atom):
        yield other, "attribute"


def _changed(atom: Atom) -> list[Atom]:
    """The atom with the next value of each of its attributes in turn."""
    tables = {"shape": SHAPES, "color": COLORS, "size": SIZES, "place": PLACES}
    changed = []
    for name, table in tables.items():
        if value := getattr(atom, name):
            other = table[(table.index(value) + 1) % len(table)]
            changed.append(replace(atom, **{name: other}))
    return changed or [replace(atom, color="red")]
