"""The half of a file that has arrived, and which version of the file it is half of.

Beside `NAME` lie `.NAME.part` (bytes) and `.NAME.part.json` (address, validator, whole size). The
bytes are emptied before another version is noted, so that a kill at any moment leaves bytes of the
noted version only.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.files import write_json

MARGIN = 64 << 20  # bytes to leave free on the disk


@dataclass(frozen=True)
class Version:
    """One version of a published file, as far as the server tells."""

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
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> Version | None:
        """Which version the bytes are of; None when nothing usable is noted."""
        try:
            return Version(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, version: Version) -> None:
        """Drop all bytes; those that follow are of `version`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        self._check_room(version.size)
        write_json(self._note, asdict(version))

    def _check_room(self, size: int | None) -> None:
        stat = os.statvfs(self.path.parent)
        free = stat.f_bavail * stat.f_frsize
        if size is not None and size + MARGIN > free:
            message = (
                f"{self.path.parent}: {free} bytes are free, the file has {size}; make room or "
                "give another folder"
            )
            raise UserError(message)

    def is_complete(self) -> bool:
        """Whether all bytes of the noted version are here, as far as its size is known."""
        version = self.version()
        return version is not None and version.size is not None and self.size == version.size

    def drop(self) -> None:
        """Forget everything that has arrived."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Put the bytes on disk and give them their name."""
        with self.path.open("rb") as handle:
            os.fsync(handle.fileno())
        self.path.replace(target)
        self._note.unlink(missing_ok=True)
