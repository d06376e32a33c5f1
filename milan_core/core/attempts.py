"""Time of a job over all its attempts: a killed job's time is not lost."""

from __future__ import annotations

import contextlib
import json
import resource
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.files import write_json

BEAT = 5.0  # seconds between notes of a running attempt


class Attempts:
    """Notes of the time that each attempt has taken so far, kept while the step is under way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: list[dict[str, float]] = []
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Attempts:
        self._before = _read(self._path)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            self._path.unlink(missing_ok=True)
        else:
            self._note()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            self._note()

    def _note(self) -> None:
        with contextlib.suppress(OSError, UserError):
            write_json(self._path, [*self._before, self._now()])

    def _now(self) -> dict[str, float]:
        return {
            "wall": round(time.perf_counter() - self._wall, 3),
            "cpu": round(_cpu_seconds() - self._cpu, 3),
        }

    def summary(self) -> dict[str, Any]:
        """Attempts, time of all of them, and the peak memory of this one."""
        every: Iterable[dict[str, float]] = [*self._before, self._now()]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "attempts": len(self._before) + 1,
            "wall_seconds": round(sum(item["wall"] for item in every), 3),
            "cpu_seconds": round(sum(item["cpu"] for item in every), 3),
            "peak_memory_mb": round(peak, 1),
        }


def _read(path: Path) -> list[dict[str, float]]:
    """The notes of earlier attempts; none where they are missing or damaged."""
    try:
        notes = json.loads(path.read_text())
        return [{key: float(item[key]) for key in ("wall", "cpu")} for item in notes]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _cpu_seconds() -> float:
    """CPU time of this process and of those it waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
