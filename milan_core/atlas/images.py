"""Chunks of images: their names, what they show, and the units that fire in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milan_core.atlas.chunks import parts, write_chunk
from milan_core.atlas.pictures import Pictures
from milan_core.images.store import Dataset

IMAGES = 256  # of a chunk
Firing = dict[int, list[int]]
"""By place of an image: number of the network, of the unit, and the exemplar's rank, flat."""


def add_firing(firing: Firing, network: int, places: Sequence[Sequence[int]]) -> None:
    """Take in the exemplars of a network: of every unit the places of its images, best first."""
    for unit, images in enumerate(places):
        for rank, place in enumerate(images):
            if place >= 0:
                firing.setdefault(place, []).extend((network, unit, rank))


def write_images(pictures: Pictures, firing: Firing, out: Path) -> None:
    """Write the chunks of one data set, and the numbers of its images by place."""
    dataset = pictures.dataset
    labels, scenes = _labels(dataset), dataset.scenes
    for number, ids in parts(pictures.ids, IMAGES):
        first = number * IMAGES
        write_chunk(
            out,
            f"images/{pictures.folder}/{number}",
            {
                "id": list(ids),
                "name": [dataset.names[image] for image in ids],
                "label": [labels[image] for image in ids],
                "things": [_things(scenes[image]) for image in ids] if scenes else None,
                "fires": [firing.get(first + place, []) for place in range(len(ids))],
            },
        )
    write_chunk(out, f"images/{pictures.folder}/ids", pictures.ids)


def _labels(dataset: Dataset) -> list[str]:
    return [dataset.classes[label] if label >= 0 else "" for label in dataset.labels.tolist()]


def _things(scene: Sequence[dict[str, str]]) -> list[str]:
    """The things of a scene in words: color and name."""
    words = (f"{one.get('colour', '')} {one.get('name', '')}".strip() for one in scene)
    return [text for text in words if text]
