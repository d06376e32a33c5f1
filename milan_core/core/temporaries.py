"""Names for what is being written, beside the file or folder that it becomes."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections import Counter
from pathlib import Path

from milan_core.core.machine import this_machine

HOST = this_machine()
OFTEN = 100  # files of a folder; from then on it is listed for the 128th, 256th and so on
_SHOWN = 100  # bytes of a file's name in that of its temporary
_OURS = re.compile(rf"\..*\.{re.escape(HOST)}\.(\d+)\.[0-9a-f]{{8}}\.tmp", re.DOTALL)
_asked: Counter[Path] = Counter()  # names, by folder


def temporary_path(path: Path) -> Path:
    """A name beside `path` for what will become it; what dead processes left there is removed."""
    _sweep(path.parent)
    start = os.fsencode(path.name)[:_SHOWN].decode(errors="ignore")
    return path.parent / f".{start}.{HOST}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"


def _sweep(folder: Path) -> None:
    """Remove temporaries of ours in `folder` whose process on this machine is gone.

    Those of other users stay: `/proc` may hide their processes (hidepid). Not for each of many
    files: their lists would take time with the square of their number.
    """
    _asked[folder] += 1
    if (count := _asked[folder]) > OFTEN and count & (count - 1):
        return
    for item in folder.glob(f".*.{HOST}.*.tmp"):
        if _is_left(item):
            if item.is_dir():
                shutil.rmtree(item, ignore_errors=True)
            else:
                item.unlink(missing_ok=True)


def _is_left(item: Path) -> bool:
    """Whether the process that wrote a temporary ran here as this user, and is gone."""
    name = _OURS.fullmatch(item.name)
    if not name or not Path("/proc").is_dir() or Path("/proc", name[1]).exists():
        return False
    try:
        return item.lstat().st_uid == os.getuid()
    except FileNotFoundError:  # it has become what it was written for
        return False
