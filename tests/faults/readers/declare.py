"""How a reader is declared: its good files, the formats of their damage, and the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[Path], None]
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """One reader: `make` writes good files to a folder, `files` are those that are damaged.

    `files` gives the format of each by its path; `read` uses everything that it reads.
    """

    name: str
    make: Make
    files: dict[str, tuple[str, ...]]
    read: Read


READERS: dict[str, Reader] = {}


def reader(make: Make, **files: str) -> Callable[[Read], Read]:
    """Declare a reader of the files of `make`; `name__ext="csv json"` stands for name.ext."""

    def declare(read: Read) -> Read:
        forms = {
            key.replace("__", ".").replace("_S_", "/"): tuple(value.split())
            for key, value in files.items()
        }
        READERS[read.__name__] = Reader(read.__name__, make, forms, read)
        return read

    return declare


def path_of(key: str) -> str:
    """`a_S_b__csv` is a/b.csv."""
    return key.replace("__", ".").replace("_S_", "/")


def write(**texts: str) -> Make:
    """Files with these texts."""

    def make(folder: Path) -> None:
        for key, text in texts.items():
            path = folder / path_of(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


def only_user_errors(error: ValueError) -> None:
    from milan_core.core.errors import UserError

    if not isinstance(error, UserError):
        raise error
