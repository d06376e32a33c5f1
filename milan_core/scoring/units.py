"""Unit tables: descriptions, annotations and truth, read, joined and checked for one model.

A unit is named by (layer, unit). The joined `Material` has one order for everything; joining
refuses tables that do not speak of the same units: they would be files of different models or runs.
Units of an annotation set have references and no truth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.scoring.words import names_concept, split_accept

UnitKey = tuple[str, int]


@dataclass(frozen=True)
class Truth:
    """What is known of a unit: its concept, kind of concept, and the words that name it.

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
class Material:
    """What descriptions of some units are scored against; every tuple has one entry per unit.

    `truth` is empty where no concept is known, `references` where there is no text.
    """

    units: tuple[UnitKey, ...]
    references: tuple[tuple[str, ...], ...] = ()
    truth: tuple[Truth, ...] = ()

    def texts(self, table: Mapping[UnitKey, str], what: str = "descriptions") -> list[str]:
        """The texts of `table` in this order; refuses a table that holds other units."""
        check_same_units(table.keys(), self.units, what, "the units to be scored")
        return [table[key] for key in self.units]


def unit_key(row: Mapping[str, str], path: Path | str) -> UnitKey:
    """The (layer, unit) of a table row."""
    try:
        return row["layer"], int(row["unit"])
    except ValueError:
        message = f"{path}: unit {row['unit']!r} of layer {row['layer']!r} is not a whole number"
        raise UserError(message) from None


def _unique(rows: Iterable[tuple[UnitKey, object]], path: Path | str) -> None:
    seen: set[UnitKey] = set()
    for key, _ in rows:
        if key in seen:
            message = f"{path}: layer {key[0]!r} unit {key[1]} appears twice"
            raise UserError(message)
        seen.add(key)


def read_descriptions(
    path: Path | str, side: str | None = None, column: str = "description"
) -> dict[UnitKey, str]:
    """Descriptions by unit; with `side` only rows whose column `side` says so (train or test)."""
    needed = ("layer", "unit", column, *(("side",) if side else ()))
    rows = [
        (unit_key(row, path), row[column])
        for row in read_csv(path, needed)
        if side is None or row["side"] == side
    ]
    _unique(rows, path)
    if not rows:
        which = f" of side {side!r}" if side else ""
        message = f"{path} holds no description{which}"
        raise UserError(message)
    return dict(rows)


def read_annotations(path: Path | str) -> dict[UnitKey, dict[str, str]]:
    """Summaries by unit and annotator, annotators in the order of the file.

    In the published format annotators have no names: the first text of a unit is of annotator 1,
    and so on.
    """
    found: dict[UnitKey, dict[str, str]] = {}
    for row in read_csv(path, ("layer", "unit", "summary")):
        by_annotator = found.setdefault(unit_key(row, path), {})
        annotator = row.get("annotator", str(len(by_annotator) + 1))
        if annotator in by_annotator:
            message = (
                f"{path}: annotator {annotator!r} describes layer {row['layer']!r} "
                f"unit {row['unit']} twice"
            )
            raise UserError(message)
        by_annotator[annotator] = row["summary"]
    return found


def read_truth(path: Path | str) -> dict[UnitKey, Truth]:
    """Known concepts by unit."""
    columns = ("layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept")
    rows = []
    for row in read_csv(path, columns):
        try:
            coverage, support = float(row["coverage"] or 0), int(float(row["support"] or 0))
        except ValueError as error:
            message = f"{path}: layer {row['layer']!r} unit {row['unit']}: {error}"
            raise UserError(message) from None
        specific = row["specific"].strip().lower() in ("1", "true")
        accept = split_accept(row["accept"])
        truth = Truth(row["concept"], row["tier"], coverage, support, specific, accept)
        rows.append((unit_key(row, path), truth))
    _unique(rows, path)
    return dict(rows)


def _example(keys: Collection[UnitKey]) -> str:
    layer, unit = min(keys)
    return f"{len(keys)} (such as layer {layer!r} unit {unit})"


def check_same_units(
    got: Iterable[UnitKey], expected: Iterable[UnitKey], got_what: str, expected_what: str
) -> None:
    """Refuse two sets of units that differ, in one sentence that names the difference."""
    got_set, expected_set = set(got), set(expected)
    extra, missing = got_set - expected_set, expected_set - got_set
    if not extra and not missing:
        return
    parts = []
    if extra:
        parts.append(f"{_example(extra)} are only in {got_what}")
    if missing:
        parts.append(f"{_example(missing)} are only in {expected_what}")
    message = (
        f"{got_what} and {expected_what} are not of the same units: {' and '.join(parts)}; "
        "they come from different models or runs, so run the describe and annotate stages again"
    )
    raise UserError(message)


def join(
    annotations: Mapping[UnitKey, Mapping[str, str]],
    truth: Mapping[UnitKey, Truth] | None,
    units: Sequence[UnitKey] | None = None,
) -> Material:
    """Annotations and, where it is known, truth of `units` (default: all, in the order of it)."""
    if truth is not None:
        check_same_units(annotations, truth, "the annotations", "the truth table")
    order = tuple(truth or annotations) if units is None else tuple(units)
    unknown = set(order) - annotations.keys()
    if unknown:
        message = (
            f"{_example(unknown)} of the units to be scored have no annotation; "
            "descriptions and annotations come from different models or runs"
        )
        raise UserError(message)
    references = tuple(tuple(annotations[key].values()) for key in order)
    return Material(order, references, tuple(truth[key] for key in order) if truth else ())


def read_material(
    annotations: Path, truth: Sequence[Path], units: Sequence[UnitKey] | None = None
) -> Material:
    """The files of one network, joined; `truth` has the one path, or none."""
    return join(read_annotations(annotations), read_truth(truth[0]) if truth else None, units)
