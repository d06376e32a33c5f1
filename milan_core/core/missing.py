"""One thing that a run reads and that no job can bring."""

from __future__ import annotations

from dataclasses import dataclass

CORRECT = "place it there or correct the path"


@dataclass(frozen=True)
class Missing:
    """A file or folder that is not in its place."""

    key: str  # of the configuration
    place: str
    how: str = CORRECT  # to get it
    problem: str = "is not there"
    published_as: str = ""  # path by which a published data set is recognized; else `place`
