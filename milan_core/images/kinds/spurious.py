"""`spurious`: images with a cue in a corner that gives their class, or a wrong one.

The editing experiment of the paper (section 7) uses ten ImageNet classes: half of the training
images carry the name of their class, test images a random one. Its data were not released, so
classes, font, size, color and corner are options. `cues.csv` holds what each image says and the box
of the cue; no pixel outside the box differs from the image without the cue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from milan_core.core.contents import files_below, files_digest
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import write_csv
from milan_core.core.inputs import HandledPath
from milan_core.core.missing import Missing
from milan_core.core.seeding import generator
from milan_core.images.fetch.places import is_filled
from milan_core.images.kind import PictureKind
from milan_core.images.kinds.cues import Box, CueOptions, CuePainter
from milan_core.images.kinds.published import PublishedOptions, published_files, split_digest
from milan_core.images.layouts import IMAGENET, is_flat
from milan_core.images.listing import list_images
from milan_core.images.picture import Picture, from_file
from milan_core.images.pictures import store_pictures
from milan_core.images.sources import missing_path
from milan_core.images.store import Dataset

COLUMNS = ("id", "name", "label", "says", "left", "top", "right", "bottom")


class SpuriousOptions(CueOptions):
    """Options of `kind: spurious`.

    The seed decides which images are taken, which of them carry the cue and what it says. Versions
    that differ in `share` or in the look of the cue are counterfactual pairs, and the carriers of a
    smaller share are among those of a larger one.
    """

    path: HandledPath = Field(
        min_length=1, description="Class folders, or a flat folder of ImageNet with its list"
    )
    per_class: int = Field(1000, ge=1, description="Images of each class")
    offset: int = Field(
        0, ge=0, description="Images passed over first: sets with other offsets share none"
    )
    share: float = Field(0.5, ge=0, le=1, description="Share of each class that carries the cue")
    says: Literal["label", "random", "wrong"] = Field(
        "label", description="label; random: any class; wrong: any other class"
    )
    geometry: Literal["crop", "squash"] = Field("squash", description="See `crop` and `squash`")
    upright: bool = Field(
        False, description="Apply EXIF rotation and lay alpha over white; false: as published"
    )
    count: int = Field(0, ge=0, le=0, description="Not here: `per_class` images are taken")
    on_error: Literal["stop"] = Field("stop", description="An unreadable image ends the build")


class Spurious(PictureKind):
    """Images of some classes with a cue that gives the class away, or lies about it."""

    kind: Literal["spurious"] = Field(
        "spurious", description="Images of classes with a cue in a corner"
    )
    options: SpuriousOptions = Field(description="Images, classes and cue")
    seed: int = Field(0, description="Seed of the choice of images, carriers and words")

    def missing(self, key: str) -> Iterator[Missing]:
        """Folders of single classes; a flat folder is read with its list."""
        path = Path(self.options.path).expanduser()
        if not path.exists() or is_flat(path):
            yield from missing_path(f"{key}.options.path", self.options.path)
            return
        how = "place the images of the class there"
        for folder in [path / name for name in self.options.classes]:
            if not is_filled(folder):
                problem = "is empty" if folder.is_dir() else "is not there"
                yield Missing(f"{key}.options.classes", str(folder), how, problem, str(path))

    def further_contents(self) -> Iterator[str]:
        """The images of the classes, and of a flat folder the list of classes."""
        top = Path(self.options.path).expanduser()
        if is_flat(top):
            yield split_digest(top, _split(top), IMAGENET)
        else:
            folders = [top / name for name in self.options.classes]
            yield files_digest((folder, file) for folder in folders for file in files_below(folder))

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Choose the images, mark them and write the data set folder `out`."""
        marked = marked_images(self.options, self.seed)

        def write_cues() -> None:
            rows = [cue_row(i, item) for i, item in enumerate(marked)]
            write_csv(out / "cues.csv", COLUMNS, rows)

        pictures = [item.picture for item in marked]
        tables = {"cues.csv": write_cues}
        return store_pictures(self, name, pictures, self.options.classes, out, threads, tables)


@dataclass(frozen=True)
class Marked:
    """A picture, what its cue says (empty without a cue), and the box of the cue."""

    picture: Picture
    says: str
    box: Box | None


def marked_images(spec: SpuriousOptions, seed: int) -> list[Marked]:
    """The images of the data set, class by class."""
    painter = CuePainter(spec)
    files = class_files(spec)
    return [
        mark(picture, says, painter)
        for label in spec.classes
        for picture, says in zip(
            chosen_images(spec, label, files[label], seed), cues(spec, label, seed), strict=True
        )
    ]


File = tuple[str, Path]  # name in the data set, and where it is


def class_files(spec: SpuriousOptions) -> dict[str, list[File]]:
    """Sorted image files of each class: of its folder, or of a flat folder with a list.

    The list of a flat folder is one of `imagenet`, in the folder or in the one above.
    """
    folder = Path(spec.path).expanduser()
    if not is_flat(folder):
        return {label: _in_class_folder(folder, label) for label in spec.classes}
    files: dict[str, list[File]] = defaultdict(list)
    options = PublishedOptions(path=spec.path, split=_split(folder))
    for label, path in published_files(options, IMAGENET):
        files[label].append((f"{label}/{path.name}", path))
    if absent := next((label for label in spec.classes if label not in files), None):
        raise unknown("class", absent, files, where=str(folder))
    return files


def _split(folder: Path) -> str:
    """The split that a flat folder holds, by its name."""
    return folder.name.removeprefix("ILSVRC2012_img_")


def _in_class_folder(folder: Path, label: str) -> list[File]:
    if not (folder / label).is_dir():
        classes = [path.name for path in folder.glob("*") if path.is_dir()]
        raise unknown("class folder", label, classes, where=str(folder))
    files = list_images(folder / label).paths
    return [(f"{label}/{file}", folder / label / file) for file in files]


def chosen_images(spec: SpuriousOptions, label: str, files: list[File], seed: int) -> list[Picture]:
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


def cues(spec: SpuriousOptions, label: str, seed: int) -> list[str]:
    """The cue of each image of the class; exactly `share` of them carry one.

    `random` and `wrong` words are dealt evenly, so that no word is rarer than another.
    """
    index = spec.classes.index(label)
    pools = {"label": [index], "random": range(len(spec.classes))}
    wrong = [number for number in range(len(spec.classes)) if number != index]
    pool = np.array(pools.get(spec.says, wrong))
    order = generator(seed, "carriers", label, spec.offset).permutation(spec.per_class)
    rng = generator(seed, "words", label, spec.offset)
    rounds = -(-spec.per_class // len(pool))
    dealt = np.concatenate([rng.permutation(pool) for _ in range(rounds)])
    says = [""] * spec.per_class
    for row, number in zip(order[: round(spec.share * spec.per_class)], dealt, strict=False):
        says[row] = spec.says_by_class[number]
    return says


def mark(picture: Picture, says: str, painter: CuePainter) -> Marked:
    """The picture with the cue, which is painted when it is read."""
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
