"""Decode pictures of any origin into one array.

A kind lists its `Picture`s in the order of the data set. Decoding, cropping, unreadable files and
the manifest are the same for all kinds.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from PIL import Image

from milan_core.core.arrays import read_npy, write_npy
from milan_core.core.errors import UserError, first_line
from milan_core.core.files import canonical_json
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.core.progress import tracked
from milan_core.images.damage import strictly
from milan_core.images.files import (
    UNREADABLE,
    check_end,
    eight_bits,
    peak,
    resize_crop,
    squash_crop,
    to_rgb,
)
from milan_core.images.kind import PictureKind
from milan_core.images.listing import said
from milan_core.images.options import PictureOptions
from milan_core.images.picture import Drawn, Picture, shown
from milan_core.images.resume import Filling, filled_array
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, start_folder

_log = logging.getLogger(__name__)

SAVE_EVERY = 2048  # pictures; after a kill, at most so many are read again


class Read(NamedTuple):
    """A picture's pixels, uint8 (h, w, 3), and the largest value of a 16-bit one, else 0."""

    pixels: np.ndarray
    peak: int


_one_large = threading.Lock()
_LARGE = 1 << 24  # pixels; of larger pictures one at a time is decoded


def read_picture(picture: Picture, spec: PictureOptions) -> Read:
    """A picture at the stored size; raises `UserError` for one that cannot be read."""
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(strictly())
            image = stack.enter_context(picture.open())
            if image.width * image.height > _LARGE:
                stack.enter_context(_one_large)
            most = peak(image)
            if spec.upright:
                check_end(image, picture.open)
                rgb = to_rgb(image, spec.range)
            else:
                rgb = eight_bits(image, spec.range).convert("RGB")
            pixels = _fitted(rgb, spec)
    except UNREADABLE as error:
        where, reason = shown(picture.where), first_line(error)
        msg = (
            f"cannot read image {where} ({reason}); remove it, or pass over such images "
            "(`on_error: skip` of the data set, --on-error skip)"
        )
        raise UserError(msg) from None
    return Read(pixels if picture.paint is None else picture.paint(pixels), most)


def _fitted(image: Image.Image, spec: PictureOptions) -> np.ndarray:
    if spec.geometry == "keep":
        return np.asarray(image)
    fit = squash_crop if spec.geometry == "squash" else resize_crop
    return fit(image, spec.before_crop, spec.size)


def read_all(
    pictures: Sequence[Picture], spec: PictureOptions, threads: int
) -> Iterable[Read | UserError]:
    """Yield every picture in order, or the error of reading it; `threads` decode in parallel."""

    def attempt(picture: Picture) -> Read | UserError:
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
        _fill(filling, pictures, spec.options, threads)
        _check_depth(name, filling, spec.options)
    skipped = set(filling.skipped)
    good = [number for number in range(len(pictures)) if number not in skipped]
    if not good:
        msg = f"dataset {name!r}: none of the {len(pictures)} images can be read"
        raise UserError(msg)
    if skipped:
        write_npy(out / "images.npy", read_npy(out / "images.npy", mmap=True)[: len(good)])
    notes: dict[str, Any] = {"skipped": [pictures[number].name for number in filling.skipped]}
    if passed := getattr(pictures, "passed_over", {}):
        notes["passed_over"] = passed
    _say(name, len(good), len(skipped), passed)
    _say_alike(name, classes)
    for write in (tables or {}).values():
        write()
    number = {label: i for i, label in enumerate(classes)}
    labels = [number.get(pictures[i].label, -1) for i in good]
    return finish_folder(
        out,
        name=name,
        kind=spec.kind,
        options=spec.options,
        seed=spec.seed,
        classes=classes,
        labels=np.array(labels, dtype=np.int64),
        names=[pictures[i].name for i in good],
        credits=[],
        notes=notes,
        tables=list(tables or {}),
        known={"images.npy": filling.sha256},
    )


def _stored_size(pictures: Sequence[Picture], spec: PictureOptions, name: str) -> tuple[int, int]:
    """Height and width of the array; with `geometry: keep` those of the first readable picture."""
    if spec.geometry != "keep":
        return spec.size, spec.size
    for read in read_all(pictures, spec, 1):
        if not isinstance(read, UserError):
            return read.pixels.shape[0], read.pixels.shape[1]
        if spec.on_error == "stop":
            raise read
    msg = f"dataset {name!r}: none of the {len(pictures)} images can be read"
    raise UserError(msg)


def _rules(spec: PictureKind) -> str:
    """The inputs of the rows besides the pictures: options, code, decoder."""
    code = step_code("images.pictures:read_picture", f"images.kinds.{spec.kind}")
    return canonical([spec.options, code, PIL.__version__])


def _facts(picture: Picture) -> str:
    """The key of a picture's row: size and time of its file, not the content."""
    try:
        stat = picture.file.stat() if picture.file else None
    except OSError:  # reported when it is read
        stat = None
    stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] if stat else []
    return canonical_json([picture.name, picture.label, picture.where, picture.painted, stamp])


def _fill(
    filling: Filling, pictures: Sequence[Picture], spec: PictureOptions, threads: int
) -> None:
    """Fill the first rows; numbers of pictures that cannot be read are in `filling.skipped`."""
    shape, done = filling.array.shape[1:], filling.seen
    left = Drawn(pictures, list(range(done, len(pictures)))) if done else pictures
    if done:
        _log.warning("resuming after %s of %s pictures", done, len(pictures))
    pairs = zip(left, read_all(left, spec, threads), strict=True)
    for picture, read in tracked(pairs, "reading", "image", total=len(left)):
        if not isinstance(read, UserError) and read.pixels.shape != shape:
            sizes = [f"{s[1]} x {s[0]} pixels" for s in (read.pixels.shape, shape)]
            read = UserError(
                f"{picture.where} has {sizes[0]}, the images before it {sizes[1]}; "
                "`geometry: keep` needs one size: use crop or squash"
            )
        if isinstance(read, UserError):
            if spec.on_error == "stop":
                raise read
            filling.take(None)
        else:
            filling.peak = max(filling.peak, read.peak)
            filling.take(read.pixels)
        if filling.seen % SAVE_EVERY == 0:
            filling.save()


def _check_depth(name: str, filling: Filling, spec: PictureOptions) -> None:
    """Refuse 16-bit pictures that only use 10 or 12 bits: they would be almost black."""
    if spec.range is None and 0 < filling.peak < 4096:
        bits = filling.peak.bit_length()
        raise UserError(
            f"dataset {name!r}: its 16-bit pictures hold values up to {filling.peak} only, as "
            f"{bits}-bit cameras write them, and would be almost black; set `range: "
            f"[0, {2**bits - 1}]` (colored ones: convert them to 8 bits first), or `range: "
            "[0, 65535]` to take them as they are"
        )


def _say_alike(name: str, classes: Sequence[str]) -> None:
    """Warn of classes whose names differ in capitals or in the form of their accents alone."""
    first: dict[str, str] = {}
    for label in classes:
        other = first.setdefault(unicodedata.normalize("NFC", label).casefold(), label)
        if other != label:
            _log.warning(
                "dataset %s: %s and %s are two classes, whose names differ in capitals or in how "
                "accents are stored alone; give them one name if they are one",
                *(name, ascii(other), ascii(label)),
            )


def _say(name: str, count: int, skipped: int, passed: Mapping[str, int]) -> None:
    reasons = {**({"unreadable": skipped} if skipped else {}), **passed}
    if reasons:
        _log.warning("dataset %s: %s images; passed over %s", name, count, said(reasons))
