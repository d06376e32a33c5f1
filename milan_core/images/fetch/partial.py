"""Received bytes of an unfinished download, and the version of the file that they belong to.

Beside `NAME` lie `.NAME.part` (bytes) and `.NAME.part.json` (address, validator, whole size). The
bytes are truncated before another version is noted, so a kill at any moment leaves bytes of the
noted version only.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.files import write_json
from milan_core.core.lock import publishing

MARGIN = 64 << 20  # bytes to leave free on the disk


@dataclass(frozen=True)
class Version:
    """One version of a published file, as the server reports it."""

    url: str
    validator: str | None = None  # a strong ETag, or a Last-Modified date
    size: int | None = None


class Part:
    """The unfinished download of `target`."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")

    @property
    def size(self) -> int:
        """Received bytes."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> Version | None:
        """Version of the received bytes; None where no readable note exists."""
        try:
            return Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, version: Version) -> None:
        """Truncate; the following bytes belong to `version`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with publishing():
            self.path.write_bytes(b"")
        self.check_room(version.size)
        write_json(self._note, asdict(version))

    def check_room(self, size: int | None) -> None:
        """Refuse to go on where the disk has no room for `size` more bytes."""
        stat = os.statvfs(self.path.parent)
        free = stat.f_bavail * stat.f_frsize
        if size is not None and size + MARGIN > free:
            message = (
                f"{self.path.parent}: {free} bytes are free, the file has {size}; make room or "
                "give another folder"
            )
            raise UserError(message)

    def is_complete(self) -> bool:
        """Whether all bytes of the noted version are received, where its size is known."""
        version = self.version()
        return version is not None and version.size is not None and self.size == version.size

    def drop(self) -> None:
        """Delete the received bytes."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Flush the bytes to disk and rename the file to `target`."""
        with self.path.open("rb") as handle:
            os.fsync(handle.fileno())
        with publishing():
            self.path.replace(target)
        self._note.unlink(missing_ok=True)
