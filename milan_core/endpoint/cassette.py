"""Cassettes: every exchange with a model, in a file that answers the same questions again.

A cassette is a JSON Lines file. While it is recorded, each exchange is appended and brought to the
disk, so a killed run asks nothing twice. `close` sorts the lines by key: the file does not depend
on the order in which answers came. Keys of services and images are not in it, only the images'
digests.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, reading
from milan_core.core.files import canonical_json, write_bytes, writing
from milan_core.core.lock import folder_lock

FORMAT = "milan cassette 1"
CHECK = 16  # hexadecimal digits of each line's digest


@dataclass(frozen=True)
class Exchange:
    """One reply: HTTP status and body."""

    status: int
    body: str

    @property
    def reason(self) -> str:
        """Status and the start of the body, for people."""
        return f"the server answered {self.status} ({' '.join(self.body.split())[:200]})"


class Cassette:
    """Exchanges by the key of their question.

    Args:
        path: the file; may be missing where it is recorded.
        model: name of the model; a cassette of another model is refused.
        replay: answer from the file alone.

    """

    def __init__(self, path: Path, model: str, *, replay: bool = False) -> None:
        self.path, self.replay = path, replay
        self._head = {"format": FORMAT, "model": model}
        self._lines: dict[str, bytes] = {}  # by key, as they stand in the file
        self._lock = threading.Lock()
        self._handle = -1
        if path.exists():
            self._read()
        elif replay:
            raise UserError(f"cassette not found: {path}; record it first, without --replay")

    def find(self, key: str) -> Exchange | None:
        """The reply to a question; None where it was never asked."""
        line = self._lines.get(key)
        return None if line is None else _exchange(_parsed(line))

    def add(self, key: str, facts: dict[str, Any], exchange: Exchange) -> None:
        """Append an exchange and bring it to the disk; safe from several threads."""
        line = _line(
            {"key": key, "question": facts, "status": exchange.status, "body": exchange.body}
        )
        with self._lock, writing(self.path):
            if self._handle < 0:
                raise ValueError("the cassette is not open for recording")
            os.write(self._handle, line)
            os.fsync(self._handle)
            self._lines[key] = line

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record during the block, as the only process; sort the file at its end.

        A block inside another one changes nothing.
        """
        if self.replay or self._handle >= 0:
            yield
            return
        with folder_lock(self.path), writing(self.path):
            self._refresh()
            self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                yield
            finally:
                os.close(self._handle)
                self._handle = -1
                self._write()

    def _refresh(self) -> None:
        """Write what was read, without a line that a kill has cut."""
        if self.path.exists():
            self._read()
        self._write()

    def _write(self) -> None:
        lines = [_line(self._head), *(self._lines[key] for key in sorted(self._lines))]
        data = b"".join(lines)
        if not self.path.exists() or self.path.read_bytes() != data:
            write_bytes(self.path, data)

    def _read(self) -> None:
        with reading(self.path, "a cassette", "delete it to ask again"):
            data = self.path.read_bytes()
            lines = data.split(b"\n")
            torn = lines.pop()  # empty where the last line is whole
            head = _checked(lines[0], 1) if lines else None
            if head != self._head:
                given = head.get("model") if head else torn[:80].decode(errors="replace")
                raise UserError(
                    f"{self.path} is no cassette of model {self._head['model']!r} "
                    f"(got {given!r}); give another file"
                )
            for number, line in enumerate(lines[1:], 2):
                item = _checked(line, number)
                _exchange(item)
                self._lines[str(item["key"])] = line + b"\n"


def _line(value: dict[str, Any]) -> bytes:
    """Canonical JSON after the first digits of its digest."""
    text = canonical_json(value).encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).hexdigest()[:CHECK].encode() + b" " + text + b"\n"


def _checked(line: bytes, number: int) -> dict[str, Any]:
    """The values of a line; `ValueError` where its digest is another."""
    digest, _, text = line.partition(b" ")
    if hashlib.sha256(text).hexdigest()[:CHECK].encode() != digest:
        raise ValueError(f"the digest of line {number} does not fit")
    return _parsed(line)


def _parsed(line: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(line.partition(b" ")[2].decode())  # else UTF-32 is guessed
    return value


def _exchange(item: dict[str, Any]) -> Exchange:
    body, status = item["body"], item["status"]
    if not isinstance(body, str) or type(status) is not int:
        raise ValueError(f"key {item['key']} holds no exchange")
    return Exchange(status, body)
