"""One writer at a time, for folders and for single files; a lock ends with its process.

Jobs of the workflow do not wait for each other: after a kill of Snakemake a job may go on without
it, and the run that is started next must not be kept waiting, nor be overwritten. The latest job
that has claimed a result (`claimed`) is the only one that may publish files (`publishing`).
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from milan_core.core.errors import UserError


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder` for the block, or say that another run writes there.

    The lock is a file beside the folder, which need not exist; in it where no file may lie beside
    it, such as a disk of its own in a container. It goes with the block.
    """
    path = folder.with_name(f".{folder.name}.lock")
    if folder.is_dir() and not os.access(folder.parent, os.W_OK):
        path = folder / ".lock"
    try:
        with _locked(path, folder, create=True, wait=False):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
    except _HeldError:
        message = f"another run is writing to {folder}; wait for it, or give another folder"
        raise UserError(message) from None


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for writing the file `path`; waits for a run that holds it."""
    with _locked(path.with_name(f".{path.name}.lock"), path.parent, create=True):
        yield


def _open(path: Path, folder: Path) -> int:
    """Open a lock file for writing in `folder`, or beside it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # less what the user's umask takes
    except OSError as error:
        message = f"cannot write to {folder}: {error.strerror}; give a folder you may write to"
        raise UserError(message) from None


class _HeldError(Exception):
    """Another process holds a lock."""


_claims: list[Claim] = []
"""The claims of this process; every file that it publishes needs all of them."""


class Claim:
    """The right to publish one result: a token in a file beside it, which the next job replaces."""

    def __init__(self, result: Path) -> None:
        self._result = result
        self._path = result.with_name(f".{result.name}.owner")
        self._token = uuid.uuid4().hex

    def take(self) -> None:
        """Become the owner; a job that was it before publishes nothing from here on."""
        with _locked(self._path, self._result.parent, create=True) as handle:
            os.ftruncate(handle, 0)
            os.pwrite(handle, self._token.encode(), 0)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from taking it over during the block; refuse if one has done so before."""
        with contextlib.ExitStack() as stack:
            owner = b""
            with contextlib.suppress(FileNotFoundError):
                handle = stack.enter_context(_locked(self._path, self._result.parent, create=False))
                owner = os.pread(handle, 64, 0)
            if owner.decode(errors="replace") != self._token:
                raise UserError(
                    f"a later run of this job has taken over {self._result}; its result stays, and "
                    "nothing of this one is kept"
                )
            yield

    def drop(self) -> None:
        """Remove the file, unless another job is the owner."""
        with contextlib.suppress(UserError, OSError), self.held():
            self._path.unlink()


@contextlib.contextmanager
def claimed(result: Path) -> Iterator[None]:
    """Own `result` (a record, or an output folder) for the block, as the only job that may publish.

    A job that owned it before and still runs ends with one sentence when it next writes a file.
    """
    claim = Claim(result)
    claim.take()
    _claims.append(claim)
    try:
        yield
    finally:
        _claims.remove(claim)
        claim.drop()


def owns_results() -> bool:
    """Whether this process has claimed something."""
    return bool(_claims)


@contextlib.contextmanager
def publishing() -> Iterator[None]:
    """The block gives files their names, or deletes some: refused where a claim was taken over.

    Raises:
        UserError: a later job owns what this process has claimed.

    """
    with contextlib.ExitStack() as stack:
        for claim in _claims:
            stack.enter_context(claim.held())
        yield


@contextlib.contextmanager
def _locked(path: Path, place: Path, *, create: bool, wait: bool = True) -> Iterator[int]:
    """An open file under an exclusive lock, which still has its name once the lock is there.

    `place` is what a message names; without `wait` a lock of others raises `_HeldError`.
    """
    import fcntl

    while True:
        handle = _open(path, place) if create else os.open(path, os.O_RDWR)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise _HeldError from None
            except OSError:  # some network file systems have no locks
                pass
            try:
                current = path.stat().st_ino == os.fstat(handle).st_ino
            except FileNotFoundError:
                if not create:
                    raise
                current = False
            if current:
                yield handle
                return
        finally:
            os.close(handle)
