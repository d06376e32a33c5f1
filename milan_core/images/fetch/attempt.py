"""Errors, timeouts and progress that all downloads share."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

from milan_core.core.addresses import hidden
from milan_core.core.progress import Bar, bar
from milan_core.images.fetch.partial import Part

CHUNK = 1 << 20
LATER = {408, 425, 429, 500, 502, 503, 504}  # transient statuses


class InterruptedTransfer(Exception):
    """The connection failed; received bytes are kept, another attempt may resume."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait  # seconds, as the server asks in Retry-After


class RefusedTransfer(Exception):
    """The address does not give the file; trying again is of no use."""


@dataclass(frozen=True)
class Patience:
    """Timeouts in seconds, and the number of attempts."""

    connect: float = 20.0
    read: float = 60.0  # between two bytes
    attempts: int = 6  # in a row without new bytes
    pause: float = 1.0  # before the second attempt; doubles each time
    least: float = 1000.0  # bytes a second, over `read` seconds


def announce(url: str, size: int | None) -> None:
    """Print address and size before the download."""
    print(f"milan: fetching {readable(size)} from {hidden(url)}", file=sys.stderr)


def readable(size: int | None) -> str:
    """Format a size in bytes."""
    if size is None:
        return "a file of unknown size"
    value, units = float(size), ["bytes", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def progress_bar(
    part: Part, offset: int, size: int | None
) -> contextlib.AbstractContextManager[Bar]:
    """A progress bar that starts at `offset` bytes."""
    name = part.path.name.removeprefix(".").removesuffix(".part")
    return bar(name, "B", size, done=offset, scaled=True)
