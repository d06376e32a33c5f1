"""One writer per folder: a second run says so instead of mixing its files with the first one's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from milan_core.errors import UserError


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder` for the block; it ends with the process at the latest."""
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".milan.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"cannot write to {folder}: {error.strerror}; give a folder you may write to"
        raise UserError(message) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        message = f"another run is writing to {folder}; wait for it, or give another folder"
        raise UserError(message) from None
    try:
        yield
    finally:
        os.close(handle)
