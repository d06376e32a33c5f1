"""Decode pictures of any origin into one array.

A kind lists its `Picture`s in the order of the data set. Decoding, cropping, unreadable files and
the manifest are the same for all kinds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, read_npy, write_npy
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.core.seeding import generator
from milan_core.images.files import UNREADABLE, resize_crop, squash_crop, to_rgb
from milan_core.images.kind import PictureKind
from milan_core.images.options import PictureOptions
from milan_core.images.resume import Filling, filled_array
from milan_core.images.store import Dataset, finish_folder, start_folder

_log = logging.getLogger(__name__)

SAVE_EVERY = 2048  # pictures; after a kill, at most so many are read again


@dataclass(frozen=True)
class Picture:
    """A picture to read."""

    name: str  # in ids.csv
    label: str  # class; empty where it has none
    where: str  # named in errors
    open: Callable[[], Image.Image]  # may raise OSError and the like
    paint: Callable[[np.ndarray], np.ndarray] | None = None  # on the stored size, uint8 (h, w, 3)
    painted: str = ""  # identifies what `paint` does
    file: Path | None = None  # that holds it, alone or with others


def from_file(file: Path, name: str, label: str) -> Picture:
    """A picture in a file of its own."""
    return Picture(name, label, str(file), lambda: Image.open(file), file=file)


def drawn(pictures: list[Picture], count: int, seed: int, name: str) -> list[Picture]:
    """A seeded draw of `count` pictures in their order; all for 0."""
    if count > len(pictures):
        msg = f"dataset {name!r}: count is {count}, the folder holds {len(pictures)} images"
        raise UserError(msg)
    if count == 0:
        return pictures
    chosen = generator(seed, "sample").choice(len(pictures), count, replace=False)
    return [pictures[i] for i in sorted(chosen.tolist())]


def read_picture(picture: Picture, spec: PictureOptions) -> np.ndarray:
    """A picture as uint8 (h, w, 3); raises `UserError` for one that cannot be read."""
    try:
        with picture.open() as image:
            rgb = to_rgb(image) if spec.upright else image.convert("RGB")
            pixels = _fitted(rgb, spec)
    except UNREADABLE as error:
        msg = f"cannot read image {picture.where} ({error}); remove it, or set `on_error: skip`"
        raise UserError(msg) from None
    return pixels if picture.paint is None else picture.paint(pixels)


def _fitted(image: Image.Image, spec: PictureOptions) -> np.ndarray:
    if spec.geometry == "keep":
        return np.asarray(image)
    fit = squash_crop if spec.geometry == "squash" else resize_crop
    return fit(image, spec.before_crop, spec.size)


def read_all(
    pictures: Sequence[Picture], spec: PictureOptions, threads: int
) -> Iterable[np.ndarray | UserError]:
    """Yield every picture in order, or the error of reading it; `threads` decode in parallel."""

    def attempt(picture: Picture) -> np.ndarray | UserError:
        try:
            return read_picture(picture, spec)
        except UserError as error:
            return error

    if threads <= 1:
        yield from map(attempt, pictures)
        return
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(pictures), 64 * threads):
            yield from pool.map(attempt, pictures[start : start + 64 * threads])


def store_pictures(
    spec: PictureKind,
    name: str,
    pictures: Sequence[Picture],
    classes: Sequence[str],
    out: Path,
    threads: int,
    tables: Mapping[str, Callable[[], None]] | None = None,
) -> Dataset:
    """Write the data set folder `out` from pictures.

    A killed build resumes at the first picture that is not safe (`images.resume`).

    Args:
        spec: the entry of the data set.
        name: of the data set.
        pictures: in the order of the data set.
        classes: names; a picture's label is the position of its class, or -1.
        out: the folder.
        threads: pictures decoded in parallel.
        tables: writers of further files of the folder, by file name.

    Raises:
        UserError: for an unreadable picture (with `on_error: stop`), or where none is readable.

    """
    start_folder(out)
    height, width = _stored_size(pictures, spec.options, name)
    shape = (len(pictures), height, width, 3)

    def facts(number: int) -> str:
        return _facts(pictures[number])

    with filled_array(out / "images.npy", shape, _rules(spec), facts) as filling:
        good, skipped = _fill(filling, pictures, spec.options, threads)
    if not good:
        msg = f"dataset {name!r}: none of the {len(pictures)} images can be read"
        raise UserError(msg)
    if skipped:
        write_npy(out / "images.npy", read_npy(out / "images.npy", mmap=True)[: len(good)])
    for write in (tables or {}).values():
        write()
    number = {label: i for i, label in enumerate(classes)}
    return finish_folder(
        out,
        name=name,
        kind=spec.kind,
        options=spec.options,
        seed=spec.seed,
        classes=classes,
        labels=np.array([number.get(picture.label, -1) for picture in good], dtype=np.int64),
        names=[picture.name for picture in good],
        credits=[],
        notes={"skipped": skipped},
        tables=list(tables or {}),
    )


def _stored_size(pictures: Sequence[Picture], spec: PictureOptions, name: str) -> tuple[int, int]:
    """Height and width of the array; with `geometry: keep` those of the first readable picture."""
    if spec.geometry != "keep":
        return spec.size, spec.size
    for pixels in read_all(pictures, spec, 1):
        if not isinstance(pixels, UserError):
            return pixels.shape[0], pixels.shape[1]
        if spec.on_error == "stop":
            raise pixels
    msg = f"dataset {name!r}: none of the {len(pictures)} images can be read"
    raise UserError(msg)


def _rules(spec: PictureKind) -> str:
    """What decides the rows besides the pictures: options, code, decoder."""
    code = step_code("images.pictures:read_picture", f"images.kinds.{spec.kind}")
    return canonical([spec.options, code, PIL.__version__])


def _facts(picture: Picture) -> str:
    """What decides a picture's row; size and time of its file, not the content."""
    try:
        stat = picture.file.stat() if picture.file else None
    except OSError:  # reported when it is read
        stat = None
    stamp = [stat.st_size, stat.st_mtime_ns] if stat else []
    return canonical_json([picture.name, picture.label, picture.where, picture.painted, stamp])


def _fill(
    filling: Filling, pictures: Sequence[Picture], spec: PictureOptions, threads: int
) -> tuple[list[Picture], list[str]]:
    """Fill the first rows; returns the readable pictures, and names of the others."""
    images, left = filling.array, pictures[filling.seen :]
    if len(left) < len(pictures):
        _log.warning("resuming after %s of %s pictures", filling.seen, len(pictures))
    for picture, pixels in zip(left, read_all(left, spec, threads), strict=True):
        if not isinstance(pixels, UserError) and pixels.shape != images.shape[1:]:
            sizes = [f"{s[1]} x {s[0]} pixels" for s in (pixels.shape, images.shape[1:])]
            pixels = UserError(
                f"{picture.where} has {sizes[0]}, the images before it {sizes[1]}; "
                "`geometry: keep` needs one size: use crop or squash"
            )
        if isinstance(pixels, UserError) and spec.on_error == "stop":
            raise pixels
        filling.take(None if isinstance(pixels, UserError) else pixels)
        if filling.seen % SAVE_EVERY == 0:
            filling.save()
    skipped = set(filling.skipped)
    good = [picture for number, picture in enumerate(pictures) if number not in skipped]
    return good, [pictures[number].name for number in filling.skipped]


def labelled_classes(pictures: Iterable[Picture]) -> list[str]:
    """The classes that occur, sorted."""
    return sorted({picture.label for picture in pictures if picture.label})
