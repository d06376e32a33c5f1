"""One writer at a time, for folders and for single files; a lock ends with its process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from milan_core.core.errors import UserError


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder` for the block, or say that another run writes there.

    The lock is a file beside the folder, which need not exist; it goes with the block.
    """
    import fcntl

    path = folder.with_name(f".{folder.name}.lock")
    handle = _open(path, folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        message = f"another run is writing to {folder}; wait for it, or give another folder"
        raise UserError(message) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for writing the file `path`; waits for a run that holds it."""
    import fcntl

    handle = _open(path.with_name(f".{path.name}.lock"), path.parent)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open(path: Path, folder: Path) -> int:
    """Open a lock file for writing in `folder`, or beside it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"cannot write to {folder}: {error.strerror}; give a folder you may write to"
        raise UserError(message) from None
