"""Art of the drawn world: shapes, patterned surfaces and smileys, without assets."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter
from PIL.ImageDraw import Draw

from milan_core.core.seeding import generator
from milan_core.world.lexicon import load_lexicon

PIXELS = 144  # side of a drawn shape; variants are smaller
BAND = 18  # width of the bands of the striped style
TINT = 160  # gray level mixed into the bands
SMILEYS = 40
PAINTS = (
    (215, 40, 40), (240, 140, 40), (250, 220, 60), (70, 160, 60), (50, 100, 200),
    (130, 70, 160), (240, 150, 180), (130, 85, 50), (30, 30, 30), (245, 245, 245),
)  # fmt: skip
SKINS = ((255, 220, 80), (250, 205, 165), (225, 165, 115), (170, 110, 70), (110, 70, 45))
HAIRS = ((40, 30, 25), (110, 65, 30), (220, 180, 90), (170, 60, 30), (150, 150, 150))

Points = list[tuple[float, float]]


def _star(points: int, inner: float, turn: float = -90.0) -> Points:
    """Corners of a star (or, with `inner` 1, of a regular polygon) around (.5, .5)."""
    angles = np.deg2rad(turn + np.arange(2 * points) * 180 / points)
    radii = np.where(np.arange(2 * points) % 2 == 0, 0.48, 0.48 * inner)
    return list(zip(0.5 + radii * np.cos(angles), 0.5 + radii * np.sin(angles), strict=True))


def _heart() -> Points:
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return list(zip(0.5 + x / 36, 0.46 - y / 36, strict=True))


POLYGONS: dict[str, Points] = {
    "square": [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)],
    "triangle": [(0.5, 0.06), (0.97, 0.9), (0.03, 0.9)],
    "diamond": [(0.5, 0.02), (0.82, 0.5), (0.5, 0.98), (0.18, 0.5)],
    "hexagon": _star(6, 1.0)[::2],
    "star": _star(5, 0.42),
    "heart": _heart(),
    "cross": [
        (0.34, 0.04), (0.66, 0.04), (0.66, 0.34), (0.96, 0.34), (0.96, 0.66), (0.66, 0.66),
        (0.66, 0.96), (0.34, 0.96), (0.34, 0.66), (0.04, 0.66), (0.04, 0.34), (0.34, 0.34),
    ],
    "arrow": [
        (0.04, 0.36), (0.52, 0.36), (0.52, 0.1), (0.96, 0.5), (0.52, 0.9), (0.52, 0.64),
        (0.04, 0.64),
    ],
}  # fmt: skip
# Ellipses (left, top, right, bottom): painted, then cut out again.
ELLIPSES: dict[str, list[tuple[float, float, float, float]]] = {
    "circle": [(0.04, 0.04, 0.96, 0.96)],
    "oval": [(0.02, 0.24, 0.98, 0.76)],
    "ring": [(0.04, 0.04, 0.96, 0.96), (0.26, 0.26, 0.74, 0.74)],
    "crescent": [(0.04, 0.04, 0.96, 0.96), (0.32, -0.04, 1.12, 0.76)],
}


@functools.cache
def shape_masks(name: str) -> tuple[Image.Image, Image.Image, Image.Image]:
    """L images of PIXELS x PIXELS: the shape, its inside without the rim, bands of that inside."""
    mask = Image.new("L", (PIXELS, PIXELS), 0)
    draw = Draw(mask)
    if name in POLYGONS:
        draw.polygon([(x * PIXELS, y * PIXELS) for x, y in POLYGONS[name]], fill=255)
    for i, box in enumerate(ELLIPSES.get(name, ())):
        draw.ellipse([v * PIXELS for v in box], fill=255 if i == 0 else 0)
    inside = mask.filter(ImageFilter.MinFilter(9))
    bands = inside.copy()
    for top in range(BAND, PIXELS, 2 * BAND):
        bands.paste(0, (0, top, PIXELS, top + BAND))
    return mask, inside, bands


def _bands(phase: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * phase) > 0


Coordinates = tuple[np.ndarray, np.ndarray]
PATTERNS: dict[str, Callable[[Coordinates, np.random.Generator], np.ndarray]] = {
    "plain": lambda xy, rng: np.zeros_like(xy[0]),
    "stripes": lambda xy, rng: _bands(xy[0]),
    "dots": lambda xy, rng: np.hypot(xy[0] % 1 - 0.5, xy[1] % 1 - 0.5) < 0.3,
    "checks": lambda xy, rng: _bands(xy[0]) ^ _bands(xy[1]),
    "noise": lambda xy, rng: rng.random(xy[0].shape),
    "grid": lambda xy, rng: (xy[0] % 1 < 0.2) | (xy[1] % 1 < 0.2),
    "waves": lambda xy, rng: 0.5 + 0.5 * np.sin(2 * np.pi * (xy[0] + 0.35 * np.sin(4 * xy[1]))),
    "zigzags": lambda xy, rng: _bands(xy[0] + np.abs(2 * (xy[1] % 1) - 1)),
}


class ShapeArt:
    """Shapes in two styles (one color, or bands of two tints), patterns and smileys."""

    def __init__(self, style: str) -> None:
        self.lexicon = load_lexicon("shapes")
        self.style = style or "solid"
        self.portraits = [f"smiley{i:02d}" for i in range(SMILEYS)]
        self.credits = [
            {"name": "shapes", "licence": "Apache-2.0", "credit": "drawn by MILAN-workflow"}
        ]

    def sprite(self, name: str, rng: np.random.Generator) -> Image.Image:
        """The shape in a random color with a darker rim; `striped` adds lighter bands."""
        paint = PAINTS[int(rng.integers(len(PAINTS)))]
        mask, inside, bands = shape_masks(name)
        image = Image.new("RGB", mask.size, tuple(value // 2 for value in paint))
        image.paste(paint, mask=inside)
        if self.style == "striped":
            image.paste(tuple((value + 2 * TINT) // 3 for value in paint), mask=bands)
        image.putalpha(mask)
        return image

    def surface(self, name: str, size: int, rng: np.random.Generator) -> Image.Image:
        """The pattern in two muted colors, with random period, shift and direction."""
        ink, paper = rng.uniform(60, 235, (2, 3))
        period, angle = rng.uniform(0.12, 0.3), rng.uniform(0, np.pi)
        shift = rng.uniform(0, 1, 2)
        v, u = np.mgrid[0:size, 0:size] / (size * period)
        x = np.cos(angle) * u + np.sin(angle) * v + shift[0]
        y = np.cos(angle) * v - np.sin(angle) * u + shift[1]
        share = PATTERNS[name]((x, y), rng).astype(np.float64)[..., None]
        return Image.fromarray(np.rint(share * ink + (1 - share) * paper).astype(np.uint8))

    def portrait(self, name: str) -> Image.Image:
        """A smiley; its looks depend on its name only."""
        rng = generator(0, name)
        s = PIXELS
        image = Image.new("RGBA", (s, s), (0, 0, 0, 0))
        draw = Draw(image)
        hair = HAIRS[int(rng.integers(len(HAIRS)))]
        skin = SKINS[int(rng.integers(len(SKINS)))]
        draw.ellipse((4, 2, s - 4, s - 4), fill=hair)
        draw.ellipse((10, int(rng.integers(8, 30)), s - 10, s - 3), fill=skin)
        eye, gap, level = (int(rng.integers(*ends)) for ends in ((6, 12), (20, 34), (54, 68)))
        for x in (s // 2 - gap, s // 2 + gap):
            draw.ellipse((x - eye, level - eye, x + eye, level + eye), fill=(255, 255, 255))
            half = eye // 2
            draw.ellipse((x - half, level - half, x + half, level + half), fill=(20, 20, 20))
        wide, deep = int(rng.integers(18, 38)), int(rng.integers(8, 26))
        mouth = (s // 2 - wide, 100 - deep, s // 2 + wide, 100 + deep)
        draw.chord(mouth, 0, 180, fill=(150, 30, 40))
        draw.line((s // 2, level + 6, s // 2 - 5, 86), fill=(90, 60, 40), width=4)
        return image
