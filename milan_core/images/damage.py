"""Damage that Pillow reads in silence: what was never written, and a switch of the caller's.

Pillow does not compare the checksums of a PNG's pixels where the decoder has enough of them.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from PIL import Image, ImageFile

PIECE = 1 << 20  # bytes that are looked through at once
UNWRITTEN = 4096  # zero bytes, a block of a disk, that no encoder of WebP ends with
_switch = threading.Lock()
_readers = 0
_given = False


def check_content(image: Image.Image, source: IO[bytes]) -> None:
    """Compare what a file says of itself with its bytes, before its pixels are decoded.

    Raises:
        OSError: for a PNG whose pixels have another checksum, and for a WebP that ends in zeros.

    """
    place = source.tell()
    if image.format == "PNG":
        _check_png(source)
    elif image.format == "WEBP":
        _check_webp(source)
    source.seek(place)


def _check_png(source: IO[bytes]) -> None:
    """Chunks are a length, four letters, data and a CRC of letters and data (PNG, 5.3)."""
    place = 8
    source.seek(place)
    while len(head := source.read(8)) == 8 and head[4:] != b"IEND":
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if not kind.isalpha():
            raise OSError(f"its chunk at byte {place} is damaged")
        if kind == b"IDAT" and not _fits(source, length):
            raise OSError(f"the checksum of its pixels at byte {place} differs, it is damaged")
        place += length + 12
        source.seek(place)


def _fits(source: IO[bytes], length: int) -> bool:
    """Whether the data of a chunk of pixels have their CRC; of a cut one Pillow says so."""
    crc = zlib.crc32(b"IDAT")
    while length and (piece := source.read(min(length, PIECE))):
        crc, length = zlib.crc32(piece, crc), length - len(piece)
    told = source.read(4)
    return len(told) < 4 or told == crc.to_bytes(4, "big")


def _check_webp(source: IO[bytes]) -> None:
    """Look at the end of the first frame; blocks that were never written are zeros."""
    place = 12
    source.seek(place)
    while len(head := source.read(8)) == 8:
        length = int.from_bytes(head[4:], "little")
        if head[:4] in (b"VP8 ", b"VP8L", b"ANMF"):
            if length > 2 * UNWRITTEN:
                source.seek(place + 8 + length - UNWRITTEN)
                if not source.read(UNWRITTEN).strip(b"\0"):
                    raise OSError("it ends in zeros, as a file that was never written whole")
            return
        place += 8 + length + length % 2
        source.seek(place)


@contextmanager
def strictly() -> Iterator[None]:
    """Let Pillow refuse cut pictures in this block, in whatever threads.

    Scripts and files of networks often set `LOAD_TRUNCATED_IMAGES`, for the whole process.
    """
    global _readers, _given
    with _switch:
        if _readers == 0:
            _given, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        _readers += 1
    try:
        yield
    finally:
        with _switch:
            _readers -= 1
            if _readers == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = _given
