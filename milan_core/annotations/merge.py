"""Write images.npy of each layer from the user's copy of images that may not be published.

The ids of the published ImageNet sets are indices of the validation images in the order of
`torchvision.datasets.ImageFolder` (spec 2.1, 3.3). The masks fit images after the probe transform,
`crop`, the default. The published merge squashed images instead, which moves every mask of an image
that is not square (spec 6.2-5); `squash` does the same, for comparison.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from milan_core.annotations.layers import LayerFolder
from milan_core.annotations.mapped import npy_pieces
from milan_core.annotations.released import AnnotationSet
from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_json, write_json
from milan_core.images.damage import strictly
from milan_core.images.files import UNREADABLE, open_picture, resize_crop
from milan_core.images.kinds.published import PublishedOptions, published_files
from milan_core.images.layouts import IMAGENET, split_folder

IMAGENET_IMAGES = 50_000  # of the validation set
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
RECORD, KIND, VERSION = "images.json", "milan-merged-images", 1
CHUNK = 64  # images decoded before the results are written

Transform = Callable[[Image.Image, int], np.ndarray]


def _crop(image: Image.Image, size: int) -> np.ndarray:
    """Resize 256, center crop 224, or the same proportion for another `size`."""
    return resize_crop(image, round(size * 256 / 224), size)


def _squash(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


TRANSFORMS: dict[str, Transform] = {"crop": _crop, "squash": _squash}


def list_images(root: Path | str) -> list[Path]:
    """Image files in dataset-index order, as `torchvision.datasets.ImageFolder` sorts them.

    Args:
        root: the folder of class folders, or the folder above it (spec 6.2-8). The validation
            images may also lie in one flat folder, as published, with a list of their classes in
            one of the published forms beside them.

    """
    root = Path(root)
    if not root.is_dir():
        msg = f"image folder not found: {root}"
        raise UserError(msg)
    folder = split_folder(root, "val", IMAGENET)
    paths = _in_class_folders(folder) or _in_one_folder(root, folder)
    if not paths:
        msg = (
            f"no class folders with images in {folder}; ids count the images in the order of class "
            "folders (n01440764/..., n01443537/...), so sort the images into those first"
        )
        raise UserError(msg)
    return paths


def _in_one_folder(root: Path, folder: Path) -> list[Path]:
    """The images of a flat folder; none where it holds no images."""
    if not any(path.name.lower().endswith(EXTENSIONS) for path in folder.iterdir()):
        return []
    try:
        return [path for _, path in published_files(PublishedOptions(path=str(root)), IMAGENET)]
    except UserError as error:
        msg = f"no class folders with images in {folder}, and as a flat folder: {error}"
        raise UserError(msg) from None


def _in_class_folders(root: Path) -> list[Path]:
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    paths = []
    for name in classes:
        for folder, files in sorted(_folders(root / name)):
            paths += [
                Path(folder, file) for file in sorted(files) if file.lower().endswith(EXTENSIONS)
            ]
    return paths


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder below `root` with its files; a link back to a folder above it is not followed."""
    for folder, inner, files in os.walk(root, followlinks=True):
        above = {path.resolve() for path in (Path(folder), *Path(folder).parents)}
        inner[:] = [one for one in inner if Path(folder, one).resolve() not in above]
        yield folder, files


def merge_images(
    annotation_set: AnnotationSet,
    root: Path | str,
    transform: str = "crop",
    *,
    expected: int | None = IMAGENET_IMAGES,
    threads: int = 1,
) -> dict[str, str]:
    """Write images.npy, uint8 (U, k, 3, S, S), into every layer's folder that has none.

    A layer is written whole or not at all, and one that is there is kept, so a merge that was
    stopped goes on where it was. Open the set again to see the images.

    Args:
        annotation_set: the set.
        root: see `list_images`.
        transform: `crop` (Resize 256 and CenterCrop 224, as the masks) or `squash`.
        expected: how many images the ids count; another number under `root` is refused, because
            every id would mean another image. None: any number that is above all ids.
        threads: images decoded at once.

    Returns:
        per layer `written` or `kept`.

    """
    if transform not in TRANSFORMS:
        msg = f"transform must be {' or '.join(TRANSFORMS)}, got {transform!r}"
        raise UserError(msg)
    paths = list_images(root)
    check_ids(annotation_set, root, len(paths), expected)
    return {
        name: _merge_layer(layer, paths, transform, threads)
        for name, layer in annotation_set.layers.items()
    }


def check_ids(
    annotation_set: AnnotationSet, root: Path | str, count: int, expected: int | None
) -> None:
    """Refuse a number of images that does not fit the ids."""
    if expected is not None and count != expected:
        msg = (
            f"{root} holds {count} images, the ids count {expected}; give the "
            "validation set the exemplars were taken from"
        )
        raise UserError(msg)
    for layer in annotation_set.layers.values():
        if (last := int(layer.ids.max())) >= count:
            msg = f"{layer.folder}: id {last} in ids.csv, but {root} has {count} images"
            raise UserError(msg)


def _merge_layer(layer: LayerFolder, paths: list[Path], transform: str, threads: int) -> str:
    record = layer.folder / RECORD
    if layer.has_images:
        check_record(layer, transform)
        return "kept"
    facts = {"format": KIND, "version": VERSION, "transform": transform, "of": len(paths)}
    write_json(record, facts)
    _write_images(layer, paths, TRANSFORMS[transform], threads)
    return "written"


def check_record(layer: LayerFolder, transform: str) -> None:
    """Published images have no record; merged ones must be those asked for."""
    record = layer.folder / RECORD
    if not record.is_file():
        return
    with reading(record, "a record of merged images", "delete it and images.npy"):
        facts = read_json(record, "record of merged images")
        if facts.get("format") != KIND or facts.get("version") != VERSION:
            msg = f"{record} is not a {KIND} record of version {VERSION}; delete it and images.npy"
            raise UserError(msg)
        if facts["transform"] != transform:
            msg = (
                f"{record.parent}/images.npy was merged with transform {facts['transform']!r}, "
                f"asked for {transform!r}; delete it to merge again"
            )
            raise UserError(msg)


def _write_images(layer: LayerFolder, paths: list[Path], form: Transform, threads: int) -> None:
    """Decode each distinct image once and write it to all its slots; empty slots stay black."""
    flat = layer.ids.reshape(-1)
    order = np.argsort(flat, kind="stable")
    distinct, starts = np.unique(flat[order], return_index=True)
    slots = np.split(order, starts[1:])
    wanted = [(int(i), where) for i, where in zip(distinct, slots, strict=True) if i >= 0]
    shape, k = (*layer.ids.shape, 3, layer.size, layer.size), layer.ids.shape[1]
    with npy_pieces(layer.folder / "images.npy", shape, np.uint8) as put:
        images = _load([paths[image] for image, _ in wanted], form, layer.size, threads)
        for (_, where), pixels in zip(wanted, images, strict=True):
            for slot in where.tolist():
                put((slot // k, slot % k), pixels.transpose(2, 0, 1))


def _load(paths: list[Path], form: Transform, size: int, threads: int) -> Iterator[np.ndarray]:
    """Images uint8 (S, S, 3) in the order of `paths`, `threads` at once."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for start in range(0, len(paths), CHUNK):
            part = paths[start : start + CHUNK]
            yield from pool.map(lambda path: read_image(path, form, size), part)


def read_image(path: Path, form: Transform, size: int) -> np.ndarray:
    """One image uint8 (S, S, 3), transformed."""
    try:
        with strictly(), open_picture(path) as image:
            # Stored orientation tags are ignored, as they were when the masks were made.
            return form(image.convert("RGB"), size)
    except UNREADABLE as error:
        msg = f"cannot read image {path}: {error}; replace it, its id must keep its place"
        raise UserError(msg) from None
