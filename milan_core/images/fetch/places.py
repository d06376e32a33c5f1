"""Where files lie that the user has brought along, for machines without network."""

from __future__ import annotations

import os
from pathlib import Path

DOWNLOADS = Path("resources/downloads")


def brought_folders() -> list[Path]:
    """Folders that are searched before any address is asked: of MILAN_DOWNLOADS, and our own."""
    named = os.environ.get("MILAN_DOWNLOADS")
    return [*([Path(named)] if named else []), DOWNLOADS]


def is_filled(path: Path) -> bool:
    """Whether a file, or a folder with something in it, stands at `path`."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
