"""CPU time of the calling thread, interleaved repetitions, and the table of targets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


def interleaved(
    works: Mapping[str, Callable[[], object]], repetitions: int = 5
) -> dict[str, float]:
    """Median thread CPU seconds of each work, all of them run in turn."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repetitions):
        for name, work in works.items():
            start = time.thread_time()
            work()
            times[name].append(time.thread_time() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


#: The first two lines of a table of rows.
HEAD = "| what | measured | target | |\n|---|---|---|---|"


@dataclass
class Row:
    """One measured number and the bound it must keep, None where it is only reported."""

    what: str
    measured: float
    bound: float | None
    at_most: bool = False
    unit: str = ""

    @property
    def kept(self) -> bool:
        """Is the measured number on the right side of its bound?"""
        if self.bound is None:
            return True
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    def line(self) -> str:
        """One line of the table."""
        said = "none | reported"
        if self.bound is not None:
            sign = "<=" if self.at_most else ">="
            said = f"{sign} {self.bound:.4g} | {'pass' if self.kept else 'FAIL'}"
        return f"| {self.what} | {self.measured:.3g} {self.unit} | {said} |"


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    return "\n".join([HEAD, *(row.line() for row in rows)])
