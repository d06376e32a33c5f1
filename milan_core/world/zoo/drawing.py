"""Draw scenes of facts, so that every fact can be read off the pixels exactly.

Things have one pure color inside and a darker rim, on a patterned ground of muted tints. The six
colors, white of the watermark and the three ranges of the grounds are disjoint, so one pixel tells
which of them it is; glyphs are fixed bitmaps, centered on even pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from milan_core.core.seeding import generator
from milan_core.world.shapes import PATTERNS, shape_masks
from milan_core.world.zoo.facts import RADIUS, SIDE, Scene

Paint = tuple[int, int, int]
PAINTS: dict[str, Paint] = {
    "red": (215, 40, 40),
    "yellow": (250, 220, 50),
    "green": (50, 160, 60),
    "blue": (50, 100, 200),
    "purple": (120, 40, 160),
    "black": (20, 20, 20),
}
MARK_PAINT: Paint = (255, 255, 255)
GROUNDS = {"dark": (70, 108), "medium": (122, 158), "light": (175, 230)}  # of every channel
MARK_ROWS = (
    "#...#.#...#",
    "##.##.#...#",
    "#.#.#.#.#.#",
    "#...#.##.##",
    "#...#.#...#",
)
MARK_AT = (50, 58)  # its left and top


@functools.cache
def glyph(shape: str, size: str) -> np.ndarray:
    """The inside of a thing: bool [2 r - 1, 2 r - 1], r the radius of its box."""
    drawn = np.asarray(shape_masks(shape)[0])
    side = 2 * RADIUS[size] - 1
    at = (2 * np.arange(side) + 1) * len(drawn) // (2 * side)
    return drawn[np.ix_(at, at)] > 127


@functools.cache
def boxed(shape: str, size: str) -> tuple[np.ndarray, np.ndarray]:
    """Inside and rim of a thing in its box: bool [2 r + 1, 2 r + 1] each."""
    inside = np.pad(glyph(shape, size), 1)
    wide = np.pad(inside, 1)
    around = np.zeros_like(inside)
    height, width = inside.shape
    for dy in range(3):
        for dx in range(3):
            around |= wide[dy : dy + height, dx : dx + width]
    return inside, around & ~inside


def _ground(scene: Scene) -> np.ndarray:
    """The ground: uint8 [SIDE, SIDE, 3], two tints of the tone in a pattern of the world."""
    rng = generator(scene.seed, "zoo ground", scene.number)
    share = rng.uniform(0, 1, (2, 3))  # of the tone's range, so that twins keep their tints
    period, angle = rng.uniform(0.12, 0.3), rng.uniform(0, np.pi)
    shift = rng.uniform(0, 1, 2)
    v, u = np.mgrid[0:SIDE, 0:SIDE] / (SIDE * period)
    x = np.cos(angle) * u + np.sin(angle) * v + shift[0]
    y = np.cos(angle) * v - np.sin(angle) * u + shift[1]
    pattern = PATTERNS[scene.surface]((x, y), rng).astype(np.float64)[..., None]
    low, high = GROUNDS[scene.tone]
    ink, paper = low + share * (high - low)
    return np.clip(np.rint(pattern * ink + (1 - pattern) * paper), low, high).astype(np.uint8)


def draw(scene: Scene) -> np.ndarray:
    """The scene: uint8 [SIDE, SIDE, 3]."""
    image = _ground(scene)
    for thing in scene.things:
        radius, paint = RADIUS[thing.size], PAINTS[thing.color]
        box = image[
            thing.y - radius : thing.y + radius + 1, thing.x - radius : thing.x + radius + 1
        ]
        inside, rim = boxed(thing.shape, thing.size)
        box[rim] = [value // 2 for value in paint]
        box[inside] = paint
    if scene.mark:
        image[_mark()] = MARK_PAINT
    return image


@functools.cache
def _mark() -> np.ndarray:
    """Pixels of the watermark: bool [SIDE, SIDE]."""
    x, y = MARK_AT
    letters = np.array([[letter == "#" for letter in row] for row in MARK_ROWS])
    where = np.zeros((SIDE, SIDE), bool)
    where[y : y + letters.shape[0], x : x + letters.shape[1]] = letters
    return where


def instance_map(scene: Scene) -> np.ndarray:
    """The thing at each pixel: uint8 [SIDE, SIDE], 0 the ground, i the i-th thing with its rim.

    The watermark comes after the things.
    """
    shown = np.zeros((SIDE, SIDE), np.uint8)
    for number, thing in enumerate(scene.things, start=1):
        radius = RADIUS[thing.size]
        inside, rim = boxed(thing.shape, thing.size)
        box = shown[
            thing.y - radius : thing.y + radius + 1, thing.x - radius : thing.x + radius + 1
        ]
        box[inside | rim] = number
    if scene.mark:
        shown[_mark()] = len(scene.things) + 1
    return shown


def draw_all(scenes: Sequence[Scene]) -> np.ndarray:
    """All scenes: uint8 [n, SIDE, SIDE, 3]."""
    return np.stack([draw(scene) for scene in scenes])
