"""What every attempt to bring a file shares: how it may fail, how long it waits, what it shows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from milan_core.images.fetch.partial import Part

CHUNK = 1 << 20
LATER = {408, 425, 429, 500, 502, 503, 504}  # answers that may change by themselves


class InterruptedTransfer(Exception):
    """The connection failed; what has arrived is kept, another attempt may go on from there."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait  # seconds that the server asked for


class RefusedTransfer(Exception):
    """An address that does not give the file, however often it is asked."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what: seconds, except `attempts`."""

    connect: float = 20.0
    read: float = 60.0  # between two bytes
    attempts: int = 6  # in a row that bring nothing new
    pause: float = 1.0  # before the second attempt; doubles each time


def announce(url: str, size: int | None) -> None:
    """Say what is coming, before it comes."""
    print(f"milan: fetching {readable(size)} from {url}", file=sys.stderr)


def readable(size: int | None) -> str:
    """A size in bytes for people."""
    if size is None:
        return "a file of unknown size"
    value, units = float(size), ["bytes", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def progress_bar(part: Part, offset: int, size: int | None) -> Any:
    """A progress bar that starts at `offset` bytes."""
    from tqdm import tqdm

    # disable=None: shown on a terminal, silent in logs.
    return tqdm(
        total=size, initial=offset, unit="B", unit_scale=True, disable=None, leave=False,
        desc=part.path.name.removeprefix(".").removesuffix(".part"),
    )  # fmt: skip
