"""Digests of files for records; those of large files are trees, which the threads of a job share.

A file of `LARGE` bytes or more has `tree:` and the SHA-256 of the SHA-256 digests of its pieces of
`PIECE` bytes, one after the other; a smaller one its SHA-256.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from milan_core.core.files import file_sha256

LARGE = 1 << 30  # bytes
PIECE = 64 << 20
MARK = "tree:"
_READ = 1 << 20


def file_digest(path: Path, threads: int = 1, like: str = "") -> str:
    """The digest of a file.

    Args:
        path: of the file.
        threads: that hash pieces of a large file.
        like: the digest that it is compared with, whose kind it takes; empty: by the file's size.

    """
    size = path.stat().st_size
    if not (like.startswith(MARK) if like else size >= LARGE):
        return file_sha256(path)
    starts = range(0, size, PIECE)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        digests = pool.map(lambda start: _piece(path, start), starts)
        return MARK + hashlib.sha256(b"".join(digests)).hexdigest()


def _piece(path: Path, start: int) -> bytes:
    digest, left = hashlib.sha256(), PIECE
    with path.open("rb") as file:
        file.seek(start)
        while left and (block := file.read(min(left, _READ))):
            digest.update(block)
            left -= len(block)
    return digest.digest()
