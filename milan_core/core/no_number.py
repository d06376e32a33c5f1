"""Find the cell of a table that `float` or `int` could not read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from milan_core.core.cells import Row, last_cell, tables_read
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv

_SHOWN = 60  # letters of a cell in a message


def no_number(error: BaseException) -> str:
    """The cell that `float` or `int` could not read, where `error` is of that; else empty."""
    if not isinstance(error, ValueError):
        return ""
    for row, column in _candidates():
        text = dict.get(row, column, "")
        if str(error).endswith(f": {text!r}"):
            return (
                f"{row.path}, line {row.line}, column {column!r}: expected a number, got "
                f"{text[:_SHOWN]!r}; correct the cell or make the table again"
            )
    return ""


def _candidates() -> Iterator[tuple[Row, str]]:
    """The cell that was taken last, then the cells with text of all tables that were read.

    Cells may have been copied from their rows before a number was asked of them.
    """
    if (last := last_cell()) is not None:
        yield last
    for path in tables_read():
        with contextlib.suppress(UserError):
            yield from ((row, column) for row in read_csv(path) for column in row if row[column])
