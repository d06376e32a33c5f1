"""The pace of requests: a rate limit, pauses that a server asks for, and backoff."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from milan_core.core.seeding import generator

PAUSE = 1.0  # seconds before the second attempt; doubles each time
LONGEST = 60.0


class Clock(Protocol):
    """Time as the pace sees it."""

    def now(self) -> float:
        """Seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True)
class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since some moment; never falls."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Pace:
    """When the next request may start; shared by all threads.

    Args:
        per_minute: most requests a minute; None: no limit.
        clock: the time.

    """

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._clock, self._lock, self._next = clock, threading.Lock(), 0.0

    def wait(self) -> None:
        """Wait for the turn of one request."""
        with self._lock:
            now = self._clock.now()
            start = max(now, self._next)
            self._next = start + self._interval
        if start > now:
            self._clock.sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Let no request start for some seconds."""
        with self._lock:
            self._next = max(self._next, self._clock.now() + seconds)


def backoff(key: str, attempt: int) -> float:
    """Seconds before attempt 1, 2, ...: doubling, spread by half so that threads part."""
    spread = 0.75 + 0.5 * float(generator(0, "backoff", key, attempt).random())
    return min(PAUSE * 2.0 ** (attempt - 1) * spread, LONGEST)
