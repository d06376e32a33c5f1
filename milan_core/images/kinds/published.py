"""`imagenet` and `places365` as they are unpacked: class folders, or a flat folder with lists.

Both layouts give the same data set: images are ordered by class and file name, which is the order
that published exemplars count in (`ids.csv` of MILANNOTATIONS over `imagenet/val`).
"""

from __future__ import annotations

from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.images.files import find_images
from milan_core.images.kinds.truth_lists import read_truth
from milan_core.images.layouts import IMAGENET, PLACES365, Layout, split_folder
from milan_core.images.options import PublishedSpec
from milan_core.images.pictures import Picture, drawn, from_file, labelled_classes, store_pictures
from milan_core.images.store import Dataset


def build_imagenet(name: str, spec: PublishedSpec, out: Path, seed: int, threads: int) -> Dataset:
    """Read ImageNet into the data set folder `out`; classes are WordNet ids, sorted."""
    return _build(name, spec, out, seed, threads, IMAGENET)


def build_places365(name: str, spec: PublishedSpec, out: Path, seed: int, threads: int) -> Dataset:
    """Read Places365 into `out`; classes such as `field-wild`, without the letter before them."""
    return _build(name, spec, out, seed, threads, PLACES365)


def _build(
    name: str, spec: PublishedSpec, out: Path, seed: int, threads: int, layout: Layout
) -> Dataset:
    everything = list_published(spec, layout)
    if spec.expect and len(everything) != spec.expect:
        msg = (
            f"dataset {name!r}: {len(everything)} images below {spec.path}, expected "
            f"{spec.expect}; unpack all of it, or set `expect: 0`"
        )
        raise UserError(msg)
    pictures = drawn(everything, spec.count, seed, name)
    classes = labelled_classes(everything)
    return store_pictures(name, layout.kind, pictures, classes, spec, out, seed, threads)


def list_published(spec: PublishedSpec, layout: Layout) -> list[Picture]:
    """All images of the split, by class and file name; raises `UserError` for a mixed layout."""
    found = published_files(spec, layout)
    return [from_file(file, f"{label}/{file.name}", label) for label, file in found]


def published_files(spec: PublishedSpec, layout: Layout) -> list[tuple[str, Path]]:
    """Class and file of all images of the split, in the order of `list_published`."""
    top = Path(spec.path).expanduser()
    root = split_folder(top, spec.split, layout)
    paths = find_images(root)
    flat = [path for path in paths if len(path.parts) == 1]
    if flat and len(flat) < len(paths):
        msg = (
            f"{root}: {len(flat)} images lie beside class folders, the first is {flat[0]}; move "
            "all into class folders, or none"
        )
        raise UserError(msg)
    labels = _flat_labels(paths, root, top, spec, layout) if flat else map(_class_folder, paths)
    found = sorted(zip(labels, paths, strict=True), key=lambda pair: (pair[0], pair[1].name))
    return [(label, root / path) for label, path in found]


def _class_folder(path: Path) -> str:
    """`n01440764/x.JPEG`, `airfield/x.jpg`, `a/airfield/x.jpg`, `f/field/wild/x.jpg`."""
    return class_name("/".join(path.parts[:-1]))


def class_name(folder: str) -> str:
    """A class from its folder: the letter before it dropped, inner folders joined by a hyphen."""
    parts = [part for part in folder.split("/") if part]
    return "-".join(parts[1:] if len(parts) > 1 and len(parts[0]) == 1 else parts)


def _flat_labels(
    paths: list[Path], root: Path, top: Path, spec: PublishedSpec, layout: Layout
) -> list[str]:
    names = [path.name for path in paths]
    places = (top, root, root.parent)
    truth = _given_or_found(spec.truth, layout.truths, places, spec.split)
    if truth is None:
        msg = (
            f"{root} is one flat folder, so a list must say the class of each image; place "
            f"{' or '.join(name.format(spec.split) for name in layout.truths[:3])} in {top}, name "
            "one as `truth`, or sort the images into class folders"
        )
        raise UserError(msg)
    candidates = [place / name for place in places for name in layout.classes]
    given = [Path(spec.classes).expanduser()] if spec.classes else []
    found = read_truth(truth, names, given or [path for path in candidates if path.is_file()])
    return [class_name(label) for label in found]


def _given_or_found(
    given: str, names: tuple[str, ...], places: tuple[Path, ...], split: str
) -> Path | None:
    if given:
        return Path(given).expanduser()
    candidates = (place / name.format(split) for name in names for place in places)
    return next((path for path in candidates if path.is_file()), None)
