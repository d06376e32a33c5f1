"""`spurious`: a cue in the corner of some images gives their class away, or lies about it.

The paper's editing experiment (section 7) needs ten ImageNet classes of which half of the training
images carry their class's name, and test images that carry a random one. Its data were not
released: classes, font, size, colour and corner are options. `cues.csv` says what is on each image
and where; no pixel outside that box differs from the image without the cue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError, unknown
from milan_core.core.files import write_csv
from milan_core.core.seeding import generator
from milan_core.images.files import find_images
from milan_core.images.kinds.cues import Box, CuePainter
from milan_core.images.kinds.published import published_files
from milan_core.images.layouts import IMAGENET, is_flat
from milan_core.images.options import PublishedSpec, SpuriousSpec
from milan_core.images.pictures import Picture, from_file, store_pictures
from milan_core.images.store import Dataset

COLUMNS = ("id", "name", "label", "says", "left", "top", "right", "bottom")


@dataclass(frozen=True)
class Marked:
    """A picture, what its cue says (empty: it has none) and the box of the cue."""

    picture: Picture
    says: str
    box: Box | None


def build_spurious(name: str, spec: SpuriousSpec, out: Path, seed: int, threads: int) -> Dataset:
    """Choose the images, mark them and write the data set folder `out`."""
    painter = CuePainter(spec)
    files = class_files(spec)
    marked = [
        mark(picture, says, painter)
        for label in spec.classes
        for picture, says in zip(
            chosen_images(spec, label, files[label], seed), cues(spec, label, seed), strict=True
        )
    ]

    def write_cues() -> None:
        write_csv(out / "cues.csv", COLUMNS, [cue_row(i, item) for i, item in enumerate(marked)])

    pictures = [item.picture for item in marked]
    tables = {"cues.csv": write_cues}
    return store_pictures(
        name, "spurious", pictures, list(spec.classes), spec, out, seed, threads, tables
    )


File = tuple[str, Path]  # name in the data set, and where it is


def class_files(spec: SpuriousSpec) -> dict[str, list[File]]:
    """The image files of each class, sorted: those of its folder, or of a flat folder with a list.

    The lists of a flat folder are those of `imagenet`, in it or in the folder above.
    """
    folder = Path(spec.path).expanduser()
    if not is_flat(folder):
        return {label: _in_class_folder(folder, label) for label in spec.classes}
    split = folder.name.removeprefix("ILSVRC2012_img_")
    found: dict[str, list[File]] = defaultdict(list)
    for label, path in published_files(PublishedSpec(path=spec.path, split=split), IMAGENET):
        found[label].append((f"{label}/{path.name}", path))
    if absent := next((label for label in spec.classes if label not in found), None):
        raise unknown("class", absent, found, where=str(folder))
    return found


def _in_class_folder(folder: Path, label: str) -> list[File]:
    if not (folder / label).is_dir():
        known = [item.name for item in folder.iterdir() if item.is_dir()] if folder.is_dir() else []
        raise unknown("class folder", label, known, where=str(folder))
    files = find_images(folder / label)
    return [(f"{label}/{file.as_posix()}", folder / label / file) for file in files]


def chosen_images(spec: SpuriousSpec, label: str, files: list[File], seed: int) -> list[Picture]:
    """`per_class` of the class's files, drawn with the seed, in the order of their names."""
    needed = spec.offset + spec.per_class
    if len(files) < needed:
        msg = (
            f"{spec.path} holds {len(files)} images of class {label}, offset + per_class asks "
            f"for {needed}; lower per_class"
        )
        raise UserError(msg)
    order = generator(seed, "images", label).permutation(len(files))[spec.offset : needed]
    chosen = [files[i] for i in sorted(order.tolist())]
    return [from_file(path, name, label) for name, path in chosen]


def cues(spec: SpuriousSpec, label: str, seed: int) -> list[str]:
    """What each image of the class says; exactly `share` of them say anything.

    `random` and `wrong` words are dealt out evenly, so that none is rarer than another.
    """
    own = spec.classes.index(label)
    pools = {"label": [own], "random": range(len(spec.classes))}
    wrong = [number for number in range(len(spec.classes)) if number != own]
    pool = np.array(pools.get(spec.says, wrong))
    order = generator(seed, "carriers", label, spec.offset).permutation(spec.per_class)
    rng = generator(seed, "words", label, spec.offset)
    rounds = -(-spec.per_class // len(pool))
    dealt = np.concatenate([rng.permutation(pool) for _ in range(rounds)])
    says = [""] * spec.per_class
    for place, number in zip(order[: round(spec.share * spec.per_class)], dealt, strict=False):
        says[place] = spec.says_by_class[number]
    return says


def mark(picture: Picture, says: str, painter: CuePainter) -> Marked:
    """The picture with the cue, to be painted when it is read."""
    if not says:
        return Marked(picture, "", None)
    return Marked(
        replace(picture, paint=lambda pixels: painter.paint(pixels, says), painted=says),
        says,
        painter.box(says),
    )


def cue_row(number: int, item: Marked) -> Sequence[object]:
    """A row of cues.csv; the box is empty where there is no cue."""
    box = item.box or ("", "", "", "")
    return [number, item.picture.name, item.picture.label, item.says, *box]
