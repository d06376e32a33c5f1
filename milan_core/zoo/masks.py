"""Masks of the zoo's concepts in its scenes, for describers that label from concept masks.

Each category is one map of labels a scene: 0, or 1 + the number of the concept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from milan_core.describers.concepts import ConceptMasks, ImageMasks
from milan_core.world.zoo.drawing import MARK_PAINT, boxed, draw
from milan_core.world.zoo.facts import COLORS, RADIUS, SHAPES, SIDE, SIZES, Scene

CATEGORIES: dict[str, tuple[str, ...]] = {
    "object": (*SHAPES, "watermark"),
    "color": COLORS,
    "size": tuple(f"{size}_thing" for size in SIZES),
    "background": ("dark_background", "light_background"),
}
CONCEPTS = tuple(name for names in CATEGORIES.values() for name in names)
CATEGORY_OF = tuple(category for category, names in CATEGORIES.items() for _ in names)


def label_maps(scene: Scene) -> dict[str, np.ndarray]:
    """Maps by category: uint8 [SIDE, SIDE]."""
    number = {name: place + 1 for place, name in enumerate(CONCEPTS)}
    maps = {category: np.zeros((SIDE, SIDE), np.uint8) for category in CATEGORIES}
    ground = np.ones((SIDE, SIDE), bool)
    for thing in scene.things:
        radius = RADIUS[thing.size]
        box = np.s_[
            thing.y - radius : thing.y + radius + 1, thing.x - radius : thing.x + radius + 1
        ]
        inside, rim = boxed(thing.shape, thing.size)
        maps["object"][box][inside | rim] = number[thing.shape]
        maps["size"][box][inside | rim] = number[f"{thing.size}_thing"]
        maps["color"][box][inside] = number[thing.color]
        ground[box] &= ~(inside | rim)
    if scene.mark:
        mark = (draw(scene) == MARK_PAINT).all(-1)
        maps["object"][mark] = number["watermark"]
        ground &= ~mark
    if f"{scene.tone}_background" in number:
        maps["background"][ground] = number[f"{scene.tone}_background"]
    return maps


def zoo_masks(scenes: Sequence[Scene], fingerprint: str) -> ConceptMasks:
    """The masks of scenes that are a data set of this fingerprint."""

    def images() -> Iterator[ImageMasks]:
        for scene in scenes:
            found = [
                (value - 1, labels == value)
                for labels in label_maps(scene).values()
                for value in np.unique(labels[labels > 0]).tolist()
            ]
            yield np.array([which for which, _ in found]), np.stack([mask for _, mask in found])

    return ConceptMasks.collect(
        *(CONCEPTS, CATEGORY_OF, images(), SIDE), dataset=fingerprint, source="facts of the zoo"
    )
