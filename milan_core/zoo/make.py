"""Write the zoo as files that need nothing of this package: pictures, tables, the network.

images/00000.png          scenes
pairs/0000a.png, 0000b    scenes that differ in one attribute
pairs.csv                 pair, attribute, first, second
scenes.csv                image, tone, surface, mark, things (how many)
facts.csv                 image, thing, shape, color, size, column, row, x, y
truth.csv                 layer, unit, kind, sign, expression, description, paraphrases
annotations.csv           layer, unit, summary: the description and each paraphrase, a row each
activations.csv           image, and the value of every unit as a column `layer/unit`
concepts/                 masks of concepts in Broden's layout
network.py, zoo.safetensors   the network; `zoo_network` builds it
zoo.yaml                  its entry for `milan describe --model @DIR/zoo.yaml`
README.md                 formats, use, license
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from milan_core.core.errors import UserError
from milan_core.core.files import atomic_path, write_csv, write_text
from milan_core.core.folders import new_folder
from milan_core.core.progress import tracked
from milan_core.world.zoo.drawing import draw
from milan_core.world.zoo.facts import ATTRIBUTES, Facts, Scene, draw_facts, twin
from milan_core.zoo import network
from milan_core.zoo.build import zoo_tensors
from milan_core.zoo.masks import CATEGORIES, CATEGORY_OF, CONCEPTS, label_maps
from milan_core.zoo.units import planted_units

README = Path(__file__).with_name("README.md")
NETWORK, WEIGHTS, ENTRY = "network.py", "zoo.safetensors", "zoo.yaml"
VIEW = """\
factory: network.py:zoo_network
layers: [colors, concepts, logic]
input: {size: 64, mean: [0, 0, 0], std: [1, 1, 1]}
axes: {colors: b c h w, concepts: b c h w, logic: b c h w} # some maps answer to the whole image
"""


@dataclass(frozen=True)
class MakeOptions:
    """The numbers of scenes that are written."""

    images: int = 2000
    pairs: int = 200
    seed: int = 0
    shown: float = 1.0  # share of the images that show anything; pairs always do


def image_name(number: int) -> str:
    """File name of a scene."""
    return f"{number:05d}.png"


def make_zoo(out: Path, options: MakeOptions) -> None:
    """Write the zoo into `out`; a run that fails leaves nothing.

    Raises:
        UserError: for a folder that is in use, and for fewer than one image.

    """
    if options.images < 1 or options.pairs < 0:
        raise UserError(
            f"milan zoo make: {options.images} images and {options.pairs} pairs; give at least one "
            "image, and 0 pairs or more"
        )
    if not 0 < options.shown <= 1:
        raise UserError(f"--shown: {options.shown:g}; give a share above 0, and at most 1")
    scenes = draw_facts(options.images, options.seed, shown=options.shown)
    named = [(f"images/{image_name(scene.number)}", scene) for scene in scenes]
    pairs = list(_pairs(options))
    with new_folder(out) as folder:
        write_scenes(folder / "images", scenes)
        write_concepts(folder / "concepts", scenes)
        (folder / "pairs").mkdir()
        for number, (_, first, second) in enumerate(pairs):
            for letter, scene in (("a", first), ("b", second)):
                name = f"pairs/{number:04d}{letter}.png"
                _write_png(folder / name, draw(scene))
                named.append((name, scene))
        write_csv(
            folder / "pairs.csv",
            ("pair", "attribute", "first", "second"),
            [
                (number, attribute, f"pairs/{number:04d}a.png", f"pairs/{number:04d}b.png")
                for number, (attribute, _, _) in enumerate(pairs)
            ],
        )
        _write_facts(folder, named)
        _write_truth(folder, named)
        write_network(folder)
        shutil.copy(README, folder / "README.md")


def _pairs(options: MakeOptions) -> Iterator[tuple[str, Scene, Scene]]:
    for number, scene in enumerate(draw_facts(options.pairs, options.seed + 1)):
        attribute = ATTRIBUTES[number % len(ATTRIBUTES)]
        yield attribute, scene, twin(scene, attribute)


def _write_png(path: Path, pixels: np.ndarray) -> None:
    """Write pixels uint8 [H, W, 3]; the folder around gets its name when all of it is there."""
    Image.fromarray(pixels).save(path, "PNG")


def write_scenes(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write one PNG a scene."""
    folder.mkdir(parents=True)
    for scene in tracked(scenes, "drawing", "scene"):
        _write_png(folder / image_name(scene.number), draw(scene))


def write_network(folder: Path) -> None:
    """Write the network's code, weights and entry."""
    from safetensors.numpy import save_file

    shutil.copy(Path(network.__file__), folder / NETWORK)
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(zoo_tensors(), temporary)
    write_text(folder / ENTRY, VIEW)


def write_concepts(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write the masks of concepts in Broden's layout."""
    for category in CATEGORIES:
        (folder / "images" / category).mkdir(parents=True)
    rows = []
    for scene in tracked(scenes, "masks", "scene"):
        name = image_name(scene.number)
        cells = [f"{category}/{name}" for category in CATEGORIES]
        for cell, labels in zip(cells, label_maps(scene).values(), strict=True):
            deep = np.stack([labels, np.zeros_like(labels), np.zeros_like(labels)], -1)
            _write_png(folder / "images" / cell, deep)
        rows.append((name, *cells))
    write_csv(folder / "index.csv", ("image", *CATEGORIES), rows)
    labels_of = enumerate(zip(CONCEPTS, CATEGORY_OF, strict=True), start=1)
    write_csv(
        folder / "label.csv",
        ("number", "name", "category"),
        [(number, name, category) for number, (name, category) in labels_of],
    )


def _write_facts(folder: Path, named: Sequence[tuple[str, Scene]]) -> None:
    write_csv(
        folder / "scenes.csv",
        ("image", "tone", "surface", "mark", "things"),
        [(name, s.tone, s.surface, int(s.mark), len(s.things)) for name, s in named],
    )
    write_csv(
        folder / "facts.csv",
        ("image", "thing", "shape", "color", "size", "column", "row", "x", "y"),
        [
            (name, place, t.shape, t.color, t.size, t.column, t.row, t.x, t.y)
            for name, scene in named
            for place, t in enumerate(scene.things)
        ],
    )


def _write_truth(folder: Path, named: Sequence[tuple[str, Scene]]) -> None:
    units = planted_units()
    write_csv(
        folder / "truth.csv",
        ("layer", "unit", "kind", "sign", "expression", "description", "paraphrases"),
        [
            (*u.key, u.kind, u.sign, str(u.expression), u.description, ";".join(u.paraphrases))
            for u in units
        ],
    )
    write_csv(
        folder / "annotations.csv",
        ("layer", "unit", "summary"),
        [(*u.key, text) for u in units for text in (u.description, *u.paraphrases) if text],
    )
    facts = Facts([scene for _, scene in named])
    values = np.stack([u.expression.value(facts) for u in units], 1).astype(np.int64)
    write_csv(
        folder / "activations.csv",
        ("image", *(f"{layer}/{unit}" for layer, unit in (u.key for u in units))),
        [(name, *row) for (name, _), row in zip(named, values.tolist(), strict=True)],
    )
