"""Read the published lists of classes of the images of a flat folder.

    ILSVRC2012_val_00000001,n01751748 111 108 370 297   Kaggle, with a header
    ILSVRC2012_val_00000001.JPEG 65                     a file and a number, counted from 0
    Places365_val_00000001.jpg 165
    n01751748                                           one class a line, in the order of the files
    490                                                 devkit: a number of meta.mat, from 1

Numbers of the devkit are not positions in the sorted list of classes. Confusing them would label
every image wrongly without an error, so each form requires its own table.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_text
from milan_core.core.numbers import is_whole
from milan_core.images.listing import EXTENSIONS


def read_truth(truth: Path, files: Sequence[str], classes: Sequence[Path]) -> list[str]:
    """The class of each of `files` (sorted names) according to the list `truth`.

    `classes` are candidate tables of class numbers, in order of preference.

    Raises:
        UserError: for a list that does not fit the files, and numbers without a table.

    """
    rows = _rows(truth)
    if not rows:
        raise UserError(f"{truth} is empty; expected a class for each of {len(files)} images")
    if all(len(row) == 1 for row in rows):
        if len(rows) != len(files):
            raise UserError(f"{truth} lists {len(rows)} classes for {len(files)} images")
        labels = [row[0] for row in rows]
        if all(Path(label).suffix.lower() in EXTENSIONS for label in labels):
            raise UserError(
                f"{truth} lists files without classes, as those of a test split do; read such "
                "images with `kind: folder`, or name a list with classes as `truth`"
            )
        return _named(labels, truth, [path for path in classes if path.suffix == ".mat"])
    class_of: dict[str, str] = {}
    for name, label in (row[:2] for row in rows if len(row) > 1):
        if class_of.setdefault(Path(name).stem, label) != label:
            raise UserError(
                f"{truth} lists {Path(name).name} twice, as {class_of[Path(name).stem]} and "
                f"{label}; give the list of this flat folder"
            )
    if absent := next((name for name in files if Path(name).stem not in class_of), None):
        raise UserError(f"{truth} does not list the image {absent}; get the whole list")
    labels = [class_of[Path(name).stem] for name in files]
    return _named(labels, truth, [path for path in classes if path.suffix != ".mat"])


def _rows(path: Path) -> list[list[str]]:
    """Words of each line; of a CSV file the first column and the first word of the second."""
    text = read_text(path, "list of classes")
    if path.suffix == ".csv":
        with reading(path, "a list of classes"):
            rows = [row for row in csv.reader(text.splitlines()) if row][1:]
        return [[row[0], *row[1].split()[:1]] for row in rows if len(row) > 1]
    return [line.split() for line in text.splitlines() if line.strip()]


def _named(labels: list[str], truth: Path, tables: Sequence[Path]) -> list[str]:
    """Labels as names; looked up in a table where all are numbers."""
    if not all(map(is_whole, labels)):
        return labels
    if not tables:
        msg = (
            f"{truth} holds numbers and no table says what they stand for; a list with one number "
            "a line is counted as in the devkit and needs its meta.mat, a list of files and "
            "numbers needs synset_words.txt, LOC_synset_mapping.txt or categories_places365.txt: "
            "place it beside, or name it as `classes`"
        )
        raise UserError(msg)
    table = _devkit(tables[0]) if tables[0].suffix == ".mat" else _table(tables[0])
    if absent := next((label for label in labels if int(label) not in table), None):
        raise UserError(f"{truth}: {tables[0]} has no class number {absent}")
    return [table[int(label)] for label in labels]


def _table(path: Path) -> dict[int, str]:
    """`/a/airfield 0` by its number; other first words by their line, counted from 0."""
    rows = _rows(path)
    if rows and all(len(row) == 2 and is_whole(row[1]) for row in rows):
        return _unique([(int(row[1]), row[0]) for row in rows], path)
    return {number: row[0] for number, row in enumerate(rows)}


def _devkit(path: Path) -> dict[int, str]:
    """WordNet ids by ILSVRC2012_ID from meta.mat of the development kit."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        entries: Any = loadmat(path, squeeze_me=True)["synsets"]
        numbered = [(int(item["ILSVRC2012_ID"]), str(item["WNID"])) for item in entries]
    except (MatReadError, OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise UserError(f"{path} is not meta.mat of the development kit: {error}") from None
    return _unique(numbered, path)


def _unique(numbered: Sequence[tuple[int, str]], path: Path) -> dict[int, str]:
    """Names of classes by number; a number with two names would take one of them in silence."""
    table: dict[int, str] = {}
    for number, name in numbered:
        if table.setdefault(number, name) != name:
            raise UserError(
                f"{path} has class number {number} twice, as {table[number]} and {name}; get the "
                "published table"
            )
    return table
