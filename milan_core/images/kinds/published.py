"""Published data sets as unpacked: class folders, or a flat folder with lists of classes.

Both layouts give the same data set. Images are ordered by class and file name; `ids.csv` of
MILANNOTATIONS counts the images of `imagenet/val` in this order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from milan_core.core.contents import files_below, files_digest
from milan_core.core.errors import UserError
from milan_core.core.inputs import HandledPath, InputPath
from milan_core.core.missing import Missing
from milan_core.images.fetch.places import is_filled
from milan_core.images.kind import PictureKind
from milan_core.images.kinds.truth_lists import read_truth
from milan_core.images.layouts import Layout, split_folder
from milan_core.images.listing import Listing, list_images
from milan_core.images.options import PictureOptions
from milan_core.images.picture import FilePictures, drawn, labelled_classes
from milan_core.images.pictures import store_pictures
from milan_core.images.store import Dataset


class PublishedOptions(PictureOptions):
    """Options of `kind: imagenet` and `kind: places365`."""

    path: HandledPath = Field(min_length=1, description="Folder that holds the split's folder")
    split: str = Field("val", description="Subfolder, where there is one")
    truth: InputPath = Field(
        "", description="Flat folder: list with the class of every image; '': published names"
    )
    classes: InputPath = Field(
        "", description="Flat folder: what the numbers of `truth` mean; '': published names"
    )
    expect: int = Field(0, ge=0, description="How many images there must be; 0: any number")
    upright: bool = Field(
        False, description="Apply EXIF rotation and lay alpha over white; false: as published"
    )


class Published(PictureKind):
    """A published data set; a subclass says which."""

    layout: ClassVar[Layout]

    options: PublishedOptions = Field(description="Where they are and how they come to one size")

    def missing(self, key: str) -> Iterator[Missing]:
        """The folder of the split, if absent or empty."""
        path, split = self.options.path, self.options.split
        yield from missing_split(f"{key}.options.path", path, split, self.layout)

    def further_contents(self) -> Iterator[str]:
        """The images of the split, and the lists that may say their classes."""
        top = Path(self.options.path).expanduser()
        yield split_digest(top, self.options.split, self.layout)

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Read the split into the data set folder `out`; classes are sorted."""
        everything = list_published(self.options, self.layout)
        expected = self.options.expect
        if expected and len(everything) != expected:
            msg = (
                f"dataset {name!r}: {len(everything)} images below {self.options.path}, expected "
                f"{expected}; unpack all of it, or set `expect: 0`"
            )
            raise UserError(msg)
        pictures = drawn(everything, self.options.count, self.seed, name)
        return store_pictures(self, name, pictures, labelled_classes(everything), out, threads)


def split_digest(top: Path, split: str, layout: Layout) -> str:
    """A digest of the images of a split and of the published lists beside them."""
    root = split_folder(top, split, layout)
    names = [name.format(split) for name in (*layout.truths, *layout.classes)]
    places = [root, *(place / name for place in (top, root.parent) for name in names)]
    return files_digest(
        (place, file) for place in dict.fromkeys(places) for file in files_below(place)
    )


def missing_split(key: str, path: str, split: str, layout: Layout) -> Iterator[Missing]:
    """The folder of a split, under any of its published names, if absent or empty."""
    top = Path(path).expanduser()
    folder, name = split_folder(top, split, layout), str(top / split)
    if not top.is_dir():
        yield Missing(key, path, published_as=name)
    elif not any(map(is_filled, folder.iterdir())):
        yield Missing(key, str(folder), problem="is empty", published_as=name)


def list_published(spec: PublishedOptions, layout: Layout) -> FilePictures:
    """Images of the split by class and file name; raises `UserError` for a mixed layout."""
    listing, labels, paths = _ordered(spec, layout)
    by_path = dict(zip(paths, labels, strict=True))
    return FilePictures(
        listing,
        paths,
        by_path.__getitem__,
        lambda path: f"{by_path[path]}/{path.rpartition('/')[2]}",
    )


def published_files(spec: PublishedOptions, layout: Layout) -> list[tuple[str, Path]]:
    """Class and file of every image of the split, in the order of `list_published`."""
    listing, labels, paths = _ordered(spec, layout)
    return [(label, listing.folder / path) for label, path in zip(labels, paths, strict=True)]


def _ordered(spec: PublishedOptions, layout: Layout) -> tuple[Listing, list[str], list[str]]:
    """The images of the split, with class and relative path of each, ordered by class and name."""
    top = Path(spec.path).expanduser()
    root = split_folder(top, spec.split, layout)
    listing = list_images(root)
    paths = listing.paths
    flat = [path for path in paths if "/" not in path]
    if flat and len(flat) < len(paths):
        msg = (
            f"{root}: {len(flat)} images lie beside class folders, the first is {flat[0]}; move "
            "all into class folders, or none"
        )
        raise UserError(msg)
    if flat:
        labels = _flat_labels(paths, root, top, spec, layout)
    else:
        labels = list(map(_class_folder, paths))
    order = sorted(range(len(paths)), key=lambda i: (labels[i], paths[i].rpartition("/")[2]))
    return listing, [sys.intern(labels[i]) for i in order], [paths[i] for i in order]


def _class_folder(path: str) -> str:
    """`n01440764/x.JPEG`, `airfield/x.jpg`, `a/airfield/x.jpg`, `f/field/wild/x.jpg`."""
    return class_name(path.rpartition("/")[0])


def class_name(folder: str) -> str:
    """Class of a folder: a leading letter is dropped, inner folders are joined by a hyphen."""
    parts = [part for part in folder.split("/") if part]
    return "-".join(parts[1:] if len(parts) > 1 and len(parts[0]) == 1 else parts)


def _flat_labels(
    names: list[str], root: Path, top: Path, spec: PublishedOptions, layout: Layout
) -> list[str]:
    folders = (top, root, root.parent)
    truth = _given_or_found(spec.truth, layout.truths, folders, spec.split)
    if truth is None:
        msg = (
            f"{root} is one flat folder, so a list must say the class of each image; place "
            f"{' or '.join(name.format(spec.split) for name in layout.truths[:3])} in {top}, name "
            "one as `truth`, or sort the images into class folders"
        )
        raise UserError(msg)
    candidates = [place / name for place in folders for name in layout.classes]
    given = [Path(spec.classes).expanduser()] if spec.classes else []
    tables = given or [path for path in candidates if path.is_file()]
    return [class_name(label) for label in read_truth(truth, names, tables)]


def _given_or_found(
    given: str, names: tuple[str, ...], folders: tuple[Path, ...], split: str
) -> Path | None:
    if given:
        return Path(given).expanduser()
    candidates = (place / name.format(split) for name in names for place in folders)
    return next((path for path in candidates if path.is_file()), None)
