"""Class folders and flat folders of drawn pictures, laid out as ImageNet and Places365 are.

A picture is a scene of the drawn world; what it shows is returned, for the stand-ins of annotators.
A few files are as odd as a few of the originals: grey, CMYK, a PNG called .JPEG, and one with an
orientation tag.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from milan_core.core.files import write_bytes, write_text
from milan_core.core.seeding import derive, generator
from milan_core.images.kinds.shapes import ShapesOptions
from milan_core.world.bank import Bank
from milan_core.world.lexicon import load_lexicon
from milan_core.world.scenes import Composer
from milan_core.world.shapes import ShapeArt

SIDE = 128  # of a scene; pictures have the sides of photographs
SIZES = ((500, 375), (375, 500), (400, 300), (256, 256))
ORIENTATION = 0x0112  # tag of EXIF
PLACES = ("/a/airfield", "/b/bakery/shop", "/c/canyon", "/f/field/wild", "/k/kitchen", "/s/street")


@dataclass(frozen=True)
class Shown:
    """What a picture shows."""

    file: str
    thing: str
    ground: str
    text: bool
    face: bool


def write_class_folders(
    folder: Path, counts: Mapping[str, int], pattern: str, seed: int
) -> list[Shown]:
    """`counts[class]` pictures in a folder a class; `pattern` has `{label}` and `{number}`.

    Numbers are dealt in a random order, so that files of one class do not follow each other.
    """
    own = derive(seed, folder.name)
    numbers = (generator(own, "numbers").permutation(sum(counts.values())) + 1).tolist()
    shown: list[Shown] = []
    for label, (name, count) in enumerate(counts.items()):
        for position in range(count):
            file = pattern.format(label=name, number=numbers[len(shown)])
            size = SIZES[position % len(SIZES)]
            shown.append(_write(folder / name / file, _composer(label, own), position, size))
            if len(shown) <= len(ODD):
                _make_odd(folder / name / file, ODD[len(shown) - 1])
    return shown


def write_places(folder: Path, split: str, total: int, seed: int) -> list[Shown]:
    """A flat folder with the two published lists: categories, and the category of each file."""
    own, shown, lines = derive(seed, folder.name, split), [], []
    for number in range(total):
        label = number % len(PLACES)
        file = f"Places365_{split}_{number + 1:08d}.jpg"
        path = folder / f"{split}_256" / file
        shown.append(_write(path, _composer(label, own), number, (256, 256)))
        lines.append(f"{file} {label}\n")
    categories = [f"{name} {number}\n" for number, name in enumerate(PLACES)]
    write_text(folder / "categories_places365.txt", "".join(categories))
    write_text(folder / f"places365_{split}.txt", "".join(lines))
    return shown


def _write(path: Path, composer: Composer, number: int, size: tuple[int, int]) -> Shown:
    made = composer.compose(number)
    _save(Image.fromarray(made.image).resize(size, Image.Resampling.BILINEAR), path)
    kinds = {thing["kind"] for thing in made.scene}
    return Shown(path.name, made.main, made.scene[0]["name"], "text" in kinds, "face" in kinds)


@functools.cache
def _composer(label: int, seed: int) -> Composer:
    """Scenes of a class: its own shape, and its own surface too where shapes run out."""
    lexicon = load_lexicon("shapes")
    objects, surfaces = list(lexicon.objects), list(lexicon.surfaces)
    spec = ShapesOptions(size=SIDE, objects=[objects[label % len(objects)]], p_text=0.5, p_face=0.4)
    if label >= len(objects):
        spec = spec.model_copy(update={"surfaces": [surfaces[label % len(surfaces)]]})
    return Composer(Bank(ShapeArt(spec.style), spec, derive(seed, label)))


def drawn(count: int, seed: int) -> np.ndarray:
    """Some pictures, uint8 (count, SIDE, SIDE, 3), each of another class."""
    return np.stack([_composer(label, seed).compose(0).image for label in range(count)])


ODD = ("grey", "cmyk", "png", "turned")


def _make_odd(path: Path, how: str) -> None:
    """Write a picture again in a form that a few of the originals have."""
    with Image.open(path) as image:
        image.load()
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    forms: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "grey": (image.convert("L"), {}),
        "cmyk": (image.convert("CMYK"), {}),
        "png": (image, {"format": "PNG"}),
        "turned": (image, {"exif": exif}),
    }
    _save(forms[how][0], path, **forms[how][1])


def _save(image: Image.Image, path: Path, format: str = "JPEG", **options: Any) -> None:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    write_bytes(path, buffer.getvalue())


def phrases(seen: Sequence[Shown], seed: int, *names: object) -> Iterator[str]:
    """What three annotators would write under a unit whose exemplars show `seen`."""
    rng = generator(seed, "phrases", *names)
    lexicon = load_lexicon("shapes")
    for _ in range(3):
        one = seen[int(rng.integers(len(seen)))]
        thing, ground = lexicon.objects[one.thing].plural, lexicon.surfaces[one.ground].plural
        choices = [thing, f"{thing} on {ground}", ground]
        choices += ["text"] * one.text + ["faces"] * one.face
        yield choices[int(rng.integers(len(choices)))]
