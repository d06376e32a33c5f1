"""The units of the zoo: what each one computes, and of which kind it is.

Kinds: `concept` (one thing, color or place), `and`, `or`, `not`, `and not`, `graded`, `signed`,
`position`, `watermark`, `duplicate` (of another unit), `constant`, `dead`.
"""

from __future__ import annotations

from dataclasses import dataclass

from milan_core.core.units import UnitKey
from milan_core.world.zoo.expressions import Expression, parse_expression
from milan_core.world.zoo.facts import COLORS, SHAPES
from milan_core.world.zoo.wording import description, paraphrases

LAYERS = ("colors", "concepts", "logic")

COLOR_UNITS = (*(f"{color} thing" for color in COLORS), "mark", "dark", "light")
THINGS = (
    *SHAPES,
    *(f"{color} thing" for color in COLORS),
    *("large thing", "small thing"),
    *("red circle", "blue square", "yellow star", "green triangle", "purple heart", "black cross"),
    *("large circle", "small circle", "large star", "small star", "small red thing"),
    *("left circle", "right star", "top square", "bottom triangle", "left thing", "top blue thing"),
    *("right heart", "large red thing", "large red circle", "small blue star", "thing"),
)
LOGIC: dict[str, tuple[str, ...]] = {
    "concept": ("circle", "yellow star", "large red thing", "large red circle", "small blue star"),
    "and": (
        *("and(circle, square)", "and(star, triangle)", "and(cross, heart)"),
        *("and(red thing, blue thing)", "and(heart, mark)", "and(circle, dark)"),
        *("and(square, light)", "and(large circle, star)"),
    ),
    "or": (
        *("or(circle, square)", "or(star, cross)", "or(red circle, blue square)"),
        *("or(yellow thing, purple thing)", "or(heart, mark)", "or(triangle, dark)"),
        "or(circle, star, heart)",
    ),
    "not": ("not(circle)", "not(red thing)", "not(mark)", "not(large thing)"),
    "and not": (
        *("and(circle, not(square))", "and(star, not(dark))", "and(red thing, not(mark))"),
        "and(heart, not(mark))",
    ),
    "graded": (
        *("count(circle)", "count(red thing)", "count(thing)", "count(large thing)"),
        *("size(circle)", "size(star)"),
    ),
    "signed": (
        *("minus(circle, square)", "minus(red thing, blue thing)", "minus(light, dark)"),
        "minus(star, mark)",
    ),
    "position": (
        *("left circle", "right star", "top square", "bottom triangle"),
        *("left thing", "top blue thing", "right heart"),
    ),
    "watermark": ("mark",),
    "duplicate": ("star", "and(circle, square)", "count(circle)"),
    "constant": ("1", "1"),
    "dead": ("0", "0"),
}


@dataclass(frozen=True)
class PlantedUnit:
    """One unit: the maximum of its map on a scene is exactly `expression.value`."""

    key: UnitKey
    kind: str
    expression: Expression

    @property
    def sign(self) -> str:
        """Signs of its values: `0`, `+`, or `+-`."""
        return {"dead": "0", "signed": "+-"}.get(self.kind, "+")

    @property
    def description(self) -> str:
        """The true description in English; empty for a dead unit."""
        return description(self.expression)

    @property
    def paraphrases(self) -> tuple[str, ...]:
        """The same in other words."""
        return paraphrases(self.expression)


def planted_units() -> list[PlantedUnit]:
    """Every unit of every layer, in order."""
    first = [("watermark" if text == "mark" else "concept", text) for text in COLOR_UNITS]
    places = ("left ", "right ", "top ", "bottom ")
    second = [("position" if text.startswith(places) else "concept", text) for text in THINGS]
    second[-1] = ("constant", THINGS[-1])  # every scene has a thing
    third = [(kind, text) for kind, texts in LOGIC.items() for text in texts]
    return [
        PlantedUnit((layer, number), kind, parse_expression(text))
        for layer, units in zip(LAYERS, (first, second, third), strict=True)
        for number, (kind, text) in enumerate(units)
    ]
