"""A picture of any origin, and sequences of pictures in the order of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from milan_core.core.errors import UserError
from milan_core.core.numbers import is_whole
from milan_core.core.seeding import generator
from milan_core.images.files import open_picture
from milan_core.images.listing import Listing

MOST_CLASSES = 1_000_000  # that are named by their numbers


@dataclass(frozen=True)
class Picture:
    """A picture to read."""

    name: str  # in ids.csv
    label: str  # class; empty where it has none
    where: str  # named in errors
    open: Callable[[], Image.Image]  # may raise OSError and the like
    paint: Callable[[np.ndarray], np.ndarray] | None = None  # on the stored size, uint8 (h, w, 3)
    painted: str = ""  # identifies what `paint` does
    file: Path | None = None  # that holds it, alone or with others


def from_file(file: Path, name: str, label: str) -> Picture:
    """A picture in a file of its own."""
    return Picture(shown(name), shown(label), str(file), lambda: open_picture(file), file=file)


def shown(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 become `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class FilePictures(Sequence[Picture]):
    """The pictures of a listing, made when they are asked for.

    Args:
        listing: where they are, and what was passed over.
        paths: relative paths in the order of the data set; default: those of the listing.
        label: class of a relative path; by default its first folder, or empty.
        name: what a relative path is called in ids.csv; by default as it is.

    """

    def __init__(
        self,
        listing: Listing,
        paths: Sequence[str] | None = None,
        label: Callable[[str], str] | None = None,
        name: Callable[[str], str] = str,
    ) -> None:
        self.passed_over = listing.passed_over
        self._folder, self._name = listing.folder, name
        self._paths = listing.paths if paths is None else paths
        self._label = label or first_folder

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        path = self._paths[index]
        return from_file(self._folder / path, self._name(path), self._label(path))


def first_folder(path: str) -> str:
    """The first part of a relative path with folders; else empty."""
    return path.partition("/")[0] if "/" in path else ""


class Drawn(Sequence[Picture]):
    """Some pictures of a sequence, by number."""

    def __init__(self, pictures: Sequence[Picture], numbers: list[int]) -> None:
        self.passed_over = getattr(pictures, "passed_over", {})
        self._pictures, self._numbers = pictures, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._pictures[i] for i in self._numbers[index]]
        return self._pictures[self._numbers[index]]


def drawn(pictures: Sequence[Picture], count: int, seed: int, name: str) -> Sequence[Picture]:
    """A seeded draw of `count` pictures in their order; all for 0."""
    if count > len(pictures):
        msg = f"dataset {name!r}: count is {count}, the folder holds {len(pictures)} images"
        raise UserError(msg)
    if count == 0:
        return pictures
    chosen = generator(seed, "sample").choice(len(pictures), count, replace=False)
    return Drawn(pictures, sorted(chosen.tolist()))


class Gathered(list[Picture]):
    """A list of pictures, with counts of what was passed over."""

    def __init__(self, pictures: Iterable[Picture], passed_over: Mapping[str, int]) -> None:
        super().__init__(pictures)
        self.passed_over = dict(passed_over)


def numbered_classes(labels: Iterable[str]) -> list[str]:
    """The classes of labels without names: numbers count from 0, texts are sorted.

    Where all labels are numbers, number i is class i, whatever numbers occur: they are the places
    of a network's outputs. Sorted as texts, 10 would stand before 2.

    Raises:
        UserError: for a number that is no class.

    """
    found = {label for label in labels if label}
    if not found or not all(map(is_whole, found)):
        return sorted(found)
    top = max(map(int, found))
    if top >= MOST_CLASSES:
        raise UserError(f"the highest label is {top}; are these classes? Give their names")
    return [str(number) for number in range(top + 1)]


def labelled_classes(pictures: Iterable[Picture]) -> list[str]:
    """The classes that occur, sorted."""
    return sorted({picture.label for picture in pictures if picture.label})
