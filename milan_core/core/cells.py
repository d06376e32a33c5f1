"""Rows of CSV tables that know their place, so that a text for a number is one sentence.

A step reads tables that another step or a person wrote, and takes numbers from them far from the
reader: `float(row["score"])`. A row says file, line and column where there is no such column, and
remembers which cell was taken last; where a number is asked of a cell in vain, `core.no_number`
says of which. Whoever uses rows has nothing to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError

_last: tuple[Row, str] | None = None  # the row and column of the cell that was taken last
_tables: dict[Path, None] = {}  # tables that were read


class Row(dict[str, str]):
    """The cells of one row by column.

    Args:
        cells: texts by column, or pairs of both.
        path: the table.
        line: number of the line that the row ends on.

    """

    __slots__ = ("line", "path")

    def __init__(
        self, cells: Mapping[str, str] | Iterable[tuple[str, str]], path: Path, line: int
    ) -> None:
        super().__init__(cells)
        self.path, self.line = path, line
        _tables[path] = None

    def __getitem__(self, column: str) -> str:
        self._take(column)
        return super().__getitem__(column)

    def get(self, column: str, default: Any = None) -> Any:
        """The cell of a column, or the default."""
        self._take(column)
        return super().get(column, default)

    def __or__(self, more: Mapping[str, Any]) -> Row:  # type: ignore[override]
        """The row with more cells; `{**row}` would not know its place any more."""
        return Row({**self, **more}, self.path, self.line)

    def _take(self, column: str) -> None:
        global _last
        _last = self, column

    def __missing__(self, column: str) -> str:
        raise UserError(
            f"{self.path}, line {self.line}: missing column {column!r}; got {list(self)}; make "
            "the table again"
        )

    def __reduce__(self) -> tuple[type[dict[str, str]], tuple[dict[str, str]]]:
        return dict, (dict(self),)


def last_cell() -> tuple[Row, str] | None:
    """The row and column of the cell that was taken last."""
    return _last


def tables_read() -> list[Path]:
    """The tables that this process has read."""
    return list(_tables)
