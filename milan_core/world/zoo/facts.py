"""Facts of drawn scenes: what stands where, drawn by number without drawing a pixel.

    scenes = draw_facts(1000, seed=0)      # a list of `Scene`
    facts = Facts(scenes)                  # the same as arrays, for expressions

Scene i depends on (seed, i) only. A scene is a patterned ground, one to four things in cells of a
grid of three by three, and sometimes a watermark, which keeps company with hearts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from milan_core.core.seeding import generator

SIDE = 64  # pixels of a scene
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
COLORS = ("red", "yellow", "green", "blue", "purple", "black")
SIZES = ("small", "large")
TONES = ("dark", "medium", "light")
SURFACES = ("plain", "stripes", "dots", "checks", "noise", "grid", "waves", "zigzags")
PLACES = ("left", "right", "top", "bottom")
MOST = 4  # things in a scene
MARK_WITH, MARK_WITHOUT = 0.6, 0.1  # chance of a watermark with and without a heart

CELLS = ((2, 22, 42), (0, 19, 38))  # left edges of columns, top edges of rows
CELL = 19  # side of a cell, pixels
RADIUS = {"small": 5, "large": 8}  # of a thing's box with its rim


@dataclass(frozen=True)
class Thing:
    """One thing: x and y are its center, even pixels; column and row its cell, 0 to 2."""

    shape: str
    color: str
    size: str
    column: int
    row: int
    x: int
    y: int


@dataclass(frozen=True)
class Scene:
    """The facts of one scene; `number` and `seed` decide all else, such as exact tints."""

    things: tuple[Thing, ...]
    tone: str
    surface: str
    mark: bool
    number: int
    seed: int


def _one(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _center(rng: np.random.Generator, start: int, size: str) -> int:
    """An even center with which the box stays in its cell."""
    radius = RADIUS[size]
    first, last = start + radius, start + CELL - 1 - radius
    choices = [x for x in range(first, last + 1) if x % 2 == 0]
    return choices[int(rng.integers(len(choices)))]


def _thing(rng: np.random.Generator, cell: int) -> Thing:
    shape, color, size = _one(rng, SHAPES), _one(rng, COLORS), _one(rng, SIZES)
    row, column = divmod(cell, 3)
    x, y = _center(rng, CELLS[0][column], size), _center(rng, CELLS[1][row], size)
    return Thing(shape, color, size, column, row, x, y)


def draw_scene(number: int, seed: int, *, most: int = MOST, shown: float = 1.0) -> Scene:
    """The facts of scene `number`: of at most `most` things.

    With a chance of 1 - `shown` it is an empty ground of medium tone, on which no unit of a concept
    fires, so that every concept is `shown` times as frequent.
    """
    rng = generator(seed, "zoo scene", number)
    cells = rng.permutation(9)[: 1 + int(rng.integers(most))]
    things = tuple(_thing(rng, int(cell)) for cell in cells)
    chance = MARK_WITH if any(thing.shape == "heart" for thing in things) else MARK_WITHOUT
    mark = bool(rng.random() < chance)
    scene = Scene(things, _one(rng, TONES), _one(rng, SURFACES), mark, number, seed)
    if shown < 1 and generator(seed, "zoo shown", number).random() >= shown:
        return replace(scene, things=(), tone="medium", mark=False)
    return scene


def draw_facts(count: int, seed: int, *, most: int = MOST, shown: float = 1.0) -> list[Scene]:
    """The facts of `count` scenes; `most` and `shown` as of `draw_scene`."""
    return [draw_scene(number, seed, most=most, shown=shown) for number in range(count)]


ATTRIBUTES = ("shape", "color", "size", "place", "presence", "tone", "surface", "mark")


def twin(scene: Scene, attribute: str) -> Scene:
    """The scene with another value of one attribute of its first thing, or of its ground.

    `presence` takes the first thing away. Everything else stays, exact tints included.
    """
    rng = generator(scene.seed, "zoo twin", attribute, scene.number)
    if attribute == "mark":
        return replace(scene, mark=not scene.mark)
    if attribute in ("tone", "surface"):
        names = {"tone": TONES, "surface": SURFACES}[attribute]
        value = _one(rng, [name for name in names if name != getattr(scene, attribute)])
        return replace(scene, **{attribute: value})  # type: ignore[arg-type]
    first, *others = scene.things
    if attribute == "presence":
        return replace(scene, things=tuple(others))
    if attribute == "place":
        return replace(scene, things=(_moved(first, others, rng), *others))
    names = {"shape": SHAPES, "color": COLORS, "size": SIZES}[attribute]
    value = _one(rng, [name for name in names if name != getattr(first, attribute)])
    changed = replace(first, **{attribute: value})  # type: ignore[arg-type]
    if attribute == "size":  # a large thing has less room in its cell
        x, y = (_center(rng, CELLS[i][c], value) for i, c in enumerate((first.column, first.row)))
        changed = replace(changed, x=x, y=y)
    return replace(scene, things=(changed, *others))


def _moved(thing: Thing, others: Sequence[Thing], rng: np.random.Generator) -> Thing:
    """The thing in an empty cell of another column and another row."""
    taken = {(other.column, other.row) for other in others}
    free = [
        (column, row)
        for column in range(3)
        for row in range(3)
        if column != thing.column and row != thing.row and (column, row) not in taken
    ]
    if not free:
        return thing
    column, row = free[int(rng.integers(len(free)))]
    x, y = _center(rng, CELLS[0][column], thing.size), _center(rng, CELLS[1][row], thing.size)
    return replace(thing, column=column, row=row, x=x, y=y)


class Facts:
    """Facts of n scenes as arrays.

    Attributes:
        shape, color, size: int8 [n, MOST], index of the thing's value; -1 where there is no thing.
        column, row: int8 [n, MOST], cell; -1 where there is no thing.
        tone, surface: int8 [n].
        mark: bool [n].

    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        n = len(scenes)
        self.shape, self.color, self.size, self.column, self.row = (
            np.full((n, MOST), -1, np.int8) for _ in range(5)
        )
        for i, scene in enumerate(scenes):
            for j, thing in enumerate(scene.things):
                self.shape[i, j] = SHAPES.index(thing.shape)
                self.color[i, j] = COLORS.index(thing.color)
                self.size[i, j] = SIZES.index(thing.size)
                self.column[i, j], self.row[i, j] = thing.column, thing.row
        self.tone = np.array([TONES.index(scene.tone) for scene in scenes], np.int8)
        self.surface = np.array([SURFACES.index(scene.surface) for scene in scenes], np.int8)
        self.mark = np.array([scene.mark for scene in scenes], bool)

    def __len__(self) -> int:
        return len(self.mark)
