"""Find the cell of a table that `float` or `int` could not read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from milan_core.core.cells import Row, last_cell, tables_read
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv

_SHOWN = 60  # letters of a cell in a message


def no_number(error: BaseException) -> str:
    """The cell that `float` or `int` could not read, where `error` is of that; else empty."""
    if not isinstance(error, ValueError):
        return ""
    for row, column in _candidates(empty=str(error).endswith(": ''")):
        text = dict.get(row, column, "")
        if str(error).endswith(f": {text!r}"):
            got = repr(text[:_SHOWN]) if text else "an empty cell"
            return (
                f"{row.path}, line {row.line}, column {column!r}: expected a number, got {got}; "
                "correct the cell or make the table again"
            )
    return ""


def _candidates(empty: bool) -> Iterator[tuple[Row, str]]:
    """The cell that was taken last, then cells of all tables that were read.

    Cells may have been copied from their rows before a number was asked of them: those with text,
    or the `empty` ones of columns that hold numbers elsewhere, or nothing else.
    """
    if (last := last_cell()) is not None:
        yield last
    for path in tables_read():
        with contextlib.suppress(UserError):
            rows = read_csv(path)
            names = list(rows[0]) if rows else []
            columns = [name for name in names if not empty or _of_numbers(rows, name)]
            yield from ((row, name) for row in rows for name in columns if bool(row[name]) != empty)


def _of_numbers(rows: Sequence[Row], column: str) -> bool:
    """Whether all cells of a column that are not empty are numbers."""
    return all(_is_number(row[column]) for row in rows if row[column])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
