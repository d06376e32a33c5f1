"""Readers of the tables that scores rest on: descriptions, ground truth, scores, training units.

Rows of one network are keyed by (layer, unit); a table that names a unit twice is refused.
Annotations are read by `milan_core.annotations.records.read_unit_texts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from milan_core.annotations.records import unit_text
from milan_core.core.cells import Row
from milan_core.core.errors import UserError, reads
from milan_core.core.files import numbered_rows, read_csv, write_csv
from milan_core.core.numbers import number
from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.exemplars.status import shows_nothing
from milan_core.scoring.units import unit_key
from milan_core.scoring.words import names_concept, split_accept

TEST = "test"
"""Side of the units that a captioner was not trained on."""
TRUTH = ("layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept")
SCORES = ("method", "metric", "value", "low", "high", "n", "clusters", "p")
UNITS = ("model", "layer", "unit", "side")
STATUS = "status"
"""Column of a table of descriptions: why a unit shows nothing to describe; empty where it does."""
AS_PUBLISHED = "description_milan"
"""Column of the captioner's own text, beside one that a judge chose among its candidates."""
LABELS = "labels"
"""Column of the labels of a unit that responds to several things (`describers.several`)."""
_YES, _NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no", ""})
Value = TypeVar("Value")


@dataclass(frozen=True)
class Truth:
    """The concept of a unit in the ground truth, and the words that name it.

    `coverage` is the share of its masked pixels that show the concept, `support` the number of its
    exemplars that do; `specific` says whether that is enough for a description to be judged.
    """

    concept: str
    tier: str
    coverage: float
    support: int
    specific: bool
    accept: tuple[str, ...]

    def named_by(self, description: str) -> bool:
        """Whether a description names this concept."""
        return names_concept(description, self.accept)


@dataclass(frozen=True)
class Score:
    """One metric of one method: `n` is the number of units it is a mean over.

    `low` and `high` are a 95 % interval over clusters of units, `clusters` their number (0: not
    counted), and `p` of a difference that of the sign-flip test over them; NaN where there is none.
    """

    method: str
    metric: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    clusters: int = 0
    p: float = math.nan


class TrainingUnit(NamedTuple):
    """One row of a captioner's units.csv: a unit of a network, and the side it is on."""

    model: str
    key: UnitKey
    side: str


def read_descriptions(
    path: Path | str, side: str | None = None, column: str = "description"
) -> dict[UnitKey, str]:
    """Descriptions by unit; with `side` those of one side (`train` or `test`)."""
    needed = ("layer", "unit", column, *(("side",) if side else ()))
    rows = [
        (unit_key(row, path), unit_text(row[column], f"{path}, line {line}"))
        for line, row in numbered_rows(path, needed)
        if side is None or row["side"] == side
    ]
    if not rows:
        which = f" of side {side!r}" if side else ""
        raise UserError(f"{path} holds no description{which}")
    return _unique(rows, path)


def read_status(path: Path | str) -> dict[UnitKey, str]:
    """The status of every unit; none without the column `status`."""
    rows = read_csv(path, ("layer", "unit"))
    return {unit_key(row, path): row[STATUS] for row in rows if row.get(STATUS)}


def read_silent(path: Path | str, column: str = "description") -> dict[UnitKey, str]:
    """The status of the units that show nothing to describe; none without the column `status`."""
    rows = read_csv(path, ("layer", "unit", column))
    return {
        unit_key(row, path): row[STATUS]
        for row in rows
        if shows_nothing(row.get(STATUS, ""), row[column].strip())
    }


def scored_descriptions(
    path: Path | str, side: str | None = None, column: str = "description"
) -> tuple[dict[UnitKey, str], dict[UnitKey, str]]:
    """Descriptions of the units that show something, and the status of those that do not.

    The latter have no text, so no score either: they are left out and counted.

    Raises:
        UserError: where no unit is left.

    """
    described = read_descriptions(path, side, column)
    silent = {k: status for k, status in read_silent(path, column).items() if k in described}
    scored = {key: text for key, text in described.items() if key not in silent}
    if not scored:
        raise UserError(f"{path}: none of its {len(described)} units shows anything to describe")
    return scored, silent


def read_methods(path: Path | str) -> dict[str, dict[UnitKey, str]]:
    """Descriptions by method and unit, of a table with the column `method`."""
    rows: dict[str, list[tuple[UnitKey, str]]] = {}
    for row in read_csv(path, ("method", "layer", "unit", "description")):
        rows.setdefault(row["method"], []).append((unit_key(row, path), row["description"]))
    return {method: _unique(texts, f"{path} ({method})") for method, texts in rows.items()}


def read_truth(path: Path | str) -> dict[UnitKey, Truth]:
    """Ground truth by unit."""
    rows = []
    for row in read_csv(path, TRUTH):
        key = unit_key(row, path)
        try:
            coverage, support = float(row["coverage"] or 0), int(float(row["support"] or 0))
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}: layer {key[0]!r} unit {key[1]}: {error}") from None
        specific = _flag(row, "specific")
        accept = split_accept(row["accept"])
        rows.append((key, Truth(row["concept"], row["tier"], coverage, support, specific, accept)))
    return _unique(rows, path)


def _flag(row: Row, column: str) -> bool:
    """Whether a cell says yes; spreadsheets write 1, 1.0 or TRUE, people yes."""
    text = row[column].strip().lower()
    if text not in _YES | _NO:
        raise UserError(
            f"{row.path}, line {row.line}, column {column!r}: expected 1 or 0, got {row[column]!r}"
        )
    return text in _YES


def read_units(path: Path | str) -> list[TrainingUnit]:
    """The units of a captioner's split, of all of its networks."""
    return [
        TrainingUnit(row["model"], unit_key(row, path), row["side"])
        for row in read_csv(path, UNITS)
    ]


def write_scores(path: Path | str, rows: Sequence[Score]) -> None:
    """Write scores as CSV with the columns `SCORES`."""
    write_csv(path, SCORES, [[cell(value) for value in astuple(row)] for row in rows])


@reads("a table of scores", "score the descriptions again")
def read_scores(path: Path) -> list[Score]:
    """Read a table of `write_scores`."""
    return [
        Score(
            row["method"],
            row["metric"],
            number(row["value"]),
            number(row["low"]),
            number(row["high"]),
            int(row["n"]),
            int(row["clusters"]),
            number(row["p"]),
        )
        for row in read_csv(path, SCORES)
    ]


def _unique(rows: Iterable[tuple[UnitKey, Value]], path: Path | str) -> dict[UnitKey, Value]:
    """Rows by unit; refuses a unit with two rows."""
    table: dict[UnitKey, Value] = {}
    for key, value in rows:
        if key in table:
            raise UserError(f"{path}: layer {key[0]!r} unit {key[1]} appears twice")
        table[key] = value
    return table
