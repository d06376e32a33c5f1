"""Folders that appear whole: written under a temporary name, renamed when they are complete."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.files import writing
from milan_core.core.lock import folder_lock, publishing
from milan_core.core.records import NAME, read_record
from milan_core.core.temporaries import temporary_path


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder whose contents move to `out` when the block ends well.

    It lies beside `out`, or in it where that is there: the folder may be a link, or a disk of its
    own. An error leaves nothing behind. What `out` already holds stays, except files of the same
    names, and files that its record lists in folders of the same names.

    Raises:
        UserError: another run writes to `out`, it is a file, or it cannot be written.

    """
    if out.name in ("", ".."):  # ".", "/" and the like, which have no name
        out = out.resolve()
    if not out.name or (os.path.lexists(out) and not out.is_dir()):
        kind = "a file or a broken link" if out.name else "the root of all folders"
        raise UserError(f"{out} is {kind}; give another path, of a folder")
    with folder_lock(out):
        temporary = temporary_path(out / out.name if out.is_dir() else out)
        try:
            with writing(out):
                temporary.mkdir()
            yield temporary
            with writing(out), publishing():
                if out.exists():
                    _move(temporary, out, _recorded(out))
                else:
                    temporary.rename(out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _recorded(out: Path) -> set[Path]:
    """The files of `out` that its record lists: a command here has written them."""
    try:
        return {out / name for name in read_record(out / NAME)["outputs"]}
    except UserError:  # none, or a damaged one
        return set()


def _move(source: Path, out: Path, ours: set[Path]) -> None:
    """Move the contents of `source` into `out`; of the rest, delete only files of `ours`."""
    for item in sorted(source.iterdir()):
        target = out / item.name
        if item.is_dir() and target.is_dir() and not target.is_symlink():
            there = {file for file in target.rglob("*") if file.is_symlink() or not file.is_dir()}
            if not there <= ours:
                for file in there & ours:
                    file.unlink()
                _move(item, target, ours)
                continue
            shutil.rmtree(target)
        elif item.is_dir() and os.path.lexists(target):
            target.unlink()
        item.replace(target)
