"""Folders of files that the user has downloaded, for machines without network."""

from __future__ import annotations

import os
from pathlib import Path

from milan_core.core.errors import UserError

DOWNLOADS = Path("resources/downloads")


def brought_folders() -> list[Path]:
    """Folders that are searched before any address: that of MILAN_DOWNLOADS, then the default."""
    folder = os.environ.get("MILAN_DOWNLOADS")
    return [*([Path(folder)] if folder else []), DOWNLOADS]


def is_filled(path: Path) -> bool:
    """Whether `path` is a file or a non-empty folder."""
    try:
        return path.is_file() or (path.is_dir() and any(path.iterdir()))
    except PermissionError:
        raise UserError(f"no permission to read {path}; change its mode, or give another") from None
