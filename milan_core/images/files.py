"""Open image files, convert them to RGB, and resize them as torchvision does."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageFile, ImageOps

from milan_core.images.damage import PIECE, check_content

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, OverflowError, Image.DecompressionBombError,
)  # fmt: skip
LARGEST = 1 << 25  # pixels that an image is scaled to before its crop
ROWS = 256  # of a deep picture, scaled at once
MORE = b"*" * 4096  # bytes of pixels, whatever they mean
_FILL = {127, 128}  # gray of the decoder of JPEG, where it has no data
SCANS = 500  # of a JPEG; encoders make some 10 of a progressive one
_MARKER = re.compile(rb"\xff(?:\xd9|([^\x00\x01\xd0-\xd9\xff])(..))", re.DOTALL)
"""The end of a JPEG, or a marker and the length of what it begins (ITU-T T.81, B.1.1)."""


class _Plain(io.BufferedReader):
    """A plain file that is asked for what it holds at most.

    Python takes memory for as many bytes as are asked for, and Pillow asks for what a PNG says is
    left, 4 GB in a damaged one of 76 bytes.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(io.FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, or all that are left."""
        left = max(self._size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))

    def __del__(self) -> None:
        """Close the file with the last picture that reads it."""
        self.close()


def open_picture(source: Path | str | IO[bytes]) -> Image.Image:
    """Open a picture of one of `FORMATS`, told by content; nothing else is started or waited for.

    Raises:
        OSError: for another format, for what is no plain file, such as a pipe, for damage that the
            decoder would not notice (`check_content`), and for a JPEG of very many scans: each may
            have 39 bytes and take as long as the whole picture.

    """
    if isinstance(source, Path | str):
        if not stat.S_ISREG(Path(source).stat().st_mode):
            raise OSError("it is no plain file")
        source = _Plain(source)
    try:
        image = _opened(source)
    except Image.UnidentifiedImageError:
        raise OSError(f"its content is none of {', '.join(FORMATS)}") from None
    if image.format in ("JPEG", "MPO"):
        _check_scans(source)
    check_content(image, source, _opened)
    return image


def _opened(source: IO[bytes]) -> Image.Image:
    with damaged_tags():
        return Image.open(source, formats=FORMATS)


def _check_scans(source: IO[bytes]) -> None:
    place = source.tell()
    count, _ = _scans(source)
    source.seek(place)
    if count > SCANS:
        raise OSError(f"it has {count} scans, more than {SCANS}")


def check_end(image: Image.Image, again: Callable[[], Image.Image]) -> None:
    """Refuse a decoded JPEG whose data end early; the decoder fills the rest with gray.

    Pillow does not pass on its warnings.
    Where its last pixel has the decoder's gray, it is decoded a second time with more data before
    its end: those of a whole picture change nothing.

    Args:
        image: after its pixels were decoded.
        again: opens the same picture.

    Raises:
        OSError: where data are missing.

    """
    if image.format not in ("JPEG", "MPO"):
        return
    last = image.getpixel((image.width - 1, image.height - 1))
    if set(last if isinstance(last, tuple) else (last,)) - _FILL:
        return
    with again() as other, open_picture(_longer_jpeg(other, MORE)) as longer:
        if not np.array_equal(np.asarray(image), np.asarray(longer)):
            raise OSError("its data end early, the rest of it would be gray")


def _longer_jpeg(image: Image.Image, more: bytes) -> io.BytesIO:
    """The file of an open JPEG with `more` bytes of pixels before its end."""
    assert isinstance(image, ImageFile.ImageFile)
    assert image.fp is not None
    image.fp.seek(0)
    data = image.fp.read()
    _, end = _scans(io.BytesIO(data))
    return io.BytesIO(data[:end] + more + data[end:])


def _scans(source: IO[bytes]) -> tuple[int, int]:
    """Scans of a JPEG before its end, and where that is, found as the decoder finds them."""
    place, count = 0, 0
    while True:
        source.seek(place)
        piece, at = source.read(PIECE), 0
        while found := _MARKER.search(piece, at):
            if found[1] is None:
                return count, place + found.start()
            count += found[1] == b"\xda"
            at = found.end(1) + max(int.from_bytes(found[2]), 2)
        if len(piece) < PIECE:
            return count, place + len(piece)
        place += max(at, len(piece) - 3)  # a marker may be cut


@contextlib.contextmanager
def damaged_tags() -> Iterator[None]:
    """Raise OSError for what Pillow raises over tags that hold other things than they should."""
    try:
        yield
    except (TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        raise OSError(f"its tags are damaged ({error})") from None


def to_rgb(image: Image.Image, limits: Sequence[float] | None = None) -> Image.Image:
    """Any mode as upright RGB: EXIF orientation applied, alpha over white, deep gray scaled."""
    with damaged_tags():
        image = ImageOps.exif_transpose(image)
    image = _with_alpha(image, eight_bits(image, limits))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image.convert("RGB")


def _with_alpha(deep: Image.Image, image: Image.Image) -> Image.Image:
    """`image`, transparent where the deep gray image that it was made of has the value of tRNS."""
    clear = deep.info.get("transparency") if image is not deep else None
    if not isinstance(clear, int):
        return image
    image = image.convert("LA")
    image.putalpha(Image.fromarray(np.where(np.asarray(deep) == clear, 0, 255).astype(np.uint8)))
    return image


def is_deep(image: Image.Image) -> bool:
    """Whether an image is gray with more than 8 bits: 16 or 32 bits, or floats."""
    return image.mode.startswith(("I", "F"))


def eight_bits(image: Image.Image, limits: Sequence[float] | None = None) -> Image.Image:
    """A deep gray image in 8 bits; others as they are.

    Args:
        image: of any mode.
        limits: values that become black and white. None: 0 and 1 for floats; for integers 0 and
            255 where no value is above that, else 0 and 65535.

    Raises:
        ValueError: for values that no such limits hold, and for NaN.

    """
    with damaged_tags():
        image.load()
    if not is_deep(image):
        return image
    values = np.asarray(image)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinite values")
    low, high = limits or _usual(image.mode, float(values.min()), float(values.max()))
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), ROWS):
        part = (values[start : start + ROWS].astype(np.float64) - low) * (255 / (high - low))
        scaled[start : start + ROWS] = np.clip(part, 0, 255)
    return Image.fromarray(scaled)


def _usual(mode: str, least: float, most: float) -> tuple[float, float]:
    top = 1.0 if mode == "F" else (65535.0 if most > 255 else 255.0)
    if least < 0 or most > top:
        kind = "floats" if mode == "F" else "integers"
        raise ValueError(
            f"it holds {kind} from {least:g} to {most:g}, expected 0 to {top:g}: say what is black "
            "and white with `range: [low, high]`"
        )
    return 0.0, top


def peak(image: Image.Image) -> int:
    """The largest value of a 16-bit image above 255; else 0. Call it before the image is loaded.

    Pillow gives the upper 8 bits of colored ones, and of gray ones with alpha.
    """
    if not image.mode.startswith("I"):
        deep = any(";16" in str(part[3]) for part in getattr(image, "tile", ()))
        bands = image.getbands()[: 3 if image.mode.startswith("RGB") else 1] if deep else ()
        highest = (int(np.asarray(image.getchannel(band)).max(initial=0)) for band in bands)
        return max((high << 8 | 255 for high in highest if high), default=0)
    most = int(np.asarray(image).max(initial=0))
    return most if most > 255 else 0


def resize_crop(image: Image.Image, shorter: int, size: int) -> np.ndarray:
    """Shorter side to `shorter` (bilinear), center crop: uint8 (size, size, 3), as torchvision."""
    width, height = image.size
    if width <= height:
        target = (shorter, int(shorter * height / width))
    else:
        target = (int(shorter * width / height), shorter)
    if target[0] * target[1] > LARGEST:
        return _cropped_first(image, target, size)
    image = image.resize(target, Image.Resampling.BILINEAR)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def _cropped_first(image: Image.Image, target: tuple[int, int], size: int) -> np.ndarray:
    """The same crop of a very long picture, which would take gigabytes when scaled as a whole."""
    scale = image.width / target[0], image.height / target[1]
    left, top = round((target[0] - size) / 2), round((target[1] - size) / 2)
    box = (left * scale[0], top * scale[1], (left + size) * scale[0], (top + size) * scale[1])
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box))


def squash_crop(image: Image.Image, side: int, size: int) -> np.ndarray:
    """Both sides to `side` (bilinear, the shape is lost), center crop: uint8 (size, size, 3)."""
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    start = round((side - size) / 2)
    return np.asarray(image.crop((start, start, start + size, start + size)))
