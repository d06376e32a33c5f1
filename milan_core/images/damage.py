"""Damage that Pillow reads in silence: what was never written, and a switch of the caller's.

Pillow does not compare the checksums of a PNG's pixels where the decoder has enough of them.
"""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from PIL import Image, ImageFile

PIECE = 1 << 20  # bytes that are looked through at once
UNWRITTEN = 4096  # zero bytes at the end of a WebP, a block of a disk
AHEAD = 16  # bytes; more than decoders of WebP read ahead
_switch = threading.Lock()
_readers = 0
_given = False


Opener = Callable[[IO[bytes]], Image.Image]


def check_content(image: Image.Image, source: IO[bytes], opened: Opener) -> None:
    """Compare what a file says of itself with its bytes, before its pixels are decoded.

    Args:
        image: whose pixels were not read yet.
        source: its file.
        opened: opens another one.

    Raises:
        OSError: for a PNG whose pixels have another checksum, and for a WebP that ends in zeros
            which its decoder does not need.

    """
    place = source.tell()
    if image.format == "PNG":
        _check_png(source)
    elif image.format == "WEBP":
        _check_webp(source, opened)
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


def _check_webp(source: IO[bytes], opened: Opener) -> None:
    """Look at the end of the first frame; blocks that were never written are zeros.

    Encoders too may end with many, where the lower part of a picture is plain. The decoder needs
    what they wrote to the last byte; of zeros in place of other bytes some are left.
    """
    place = 12
    source.seek(place)
    while len(head := source.read(8)) == 8:
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"ANMF":  # 16 bytes of a frame's place and time, then its chunks
            place += 24
        elif kind not in (b"VP8 ", b"VP8L"):
            place += 8 + length + length % 2
        else:
            source.seek(place + 8 + max(length - UNWRITTEN, 0))
            if length <= 2 * UNWRITTEN or source.read(UNWRITTEN).strip(b"\0"):
                return
            source.seek(place + 8)
            if _decodes(_still(kind, source.read(length - AHEAD)), opened):
                raise OSError("it ends in zeros, as a file that was never written whole")
            return
        source.seek(place)


def _still(kind: bytes, pixels: bytes) -> bytes:
    """A file of one still picture (RIFF, WebP container specification)."""
    size = len(pixels).to_bytes(4, "little")
    body = b"WEBP" + kind + size + pixels + bytes(len(pixels) % 2)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _decodes(content: bytes, opened: Opener) -> bool:
    try:
        with opened(io.BytesIO(content)) as image:
            image.load()
    except (OSError, EOFError):
        return False
    return True


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
