"""Folders that appear whole: written under a temporary name, renamed when they are complete."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from milan_core.core.files import temporary_path, writing
from milan_core.core.lock import folder_lock, publishing


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder beside `out` whose contents move to `out` when the block ends well.

    An error leaves nothing behind. What `out` already holds stays, except items of the same names.

    Raises:
        UserError: another run writes to `out`, or it cannot be written.

    """
    with folder_lock(out):
        temporary = temporary_path(out)
        try:
            with writing(out):
                temporary.mkdir()
            yield temporary
            with writing(out), publishing():
                _move(temporary, out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _move(source: Path, out: Path) -> None:
    if not out.exists():
        source.rename(out)
        return
    for item in sorted(source.iterdir()):
        target = out / item.name
        if target.is_dir():
            shutil.rmtree(target)
        item.replace(target)
