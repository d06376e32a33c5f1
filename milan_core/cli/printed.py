"""Standard output and warnings of the commands, with control characters escaped."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from milan_core.core.errors import printable


class Printed:
    """A stream that escapes control characters of what is written to it (`errors.printable`).

    Args:
        stream: the stream that is written to.

    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def log_handler() -> logging.Handler:
    """A handler that writes warnings to standard error, as the commands do."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("milan: %(message)s"))
    return handler
