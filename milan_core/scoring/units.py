"""Units of a network, named by (layer, unit), and whether two tables hold the same ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from milan_core.annotations.records import unit_number
from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey


def unit_key(row: Mapping[str, str], path: Path | str) -> UnitKey:
    """The (layer, unit) of a table row; refuses a unit that is no number."""
    return row["layer"], unit_number(row["unit"], f"{path}: layer {row['layer']!r}")


def example(keys: Collection[UnitKey]) -> str:
    """The number of units and the first of them, for messages."""
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
        parts.append(f"{example(extra)} are only in {got_what}")
    if missing:
        parts.append(f"{example(missing)} are only in {expected_what}")
    message = (
        f"{got_what} and {expected_what} are not of the same units: {' and '.join(parts)}; "
        "they come from different models or runs, so run the describe and annotate stages again"
    )
    raise UserError(message)


def rows_of(
    units: Iterable[UnitKey], table: Mapping[UnitKey, str], what: str, wanted: str
) -> list[str]:
    """The texts of `units` in their order; refuses a table that lacks one of them."""
    units = list(units)
    if missing := set(units) - table.keys():
        raise UserError(
            f"{what}: {example(missing)} of {wanted} are missing; it was made for another network "
            "or run, so make it again"
        )
    return [table[key] for key in units]
