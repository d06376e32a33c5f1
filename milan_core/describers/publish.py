"""The published table of one network: its descriptions, and those of its captioner beside them."""

from __future__ import annotations

from pathlib import Path

from milan_core.captioner.descriptions import COLUMNS
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.describers.abstention.options import one_cell
from milan_core.describers.several.table import read_labels
from milan_core.scoring.tables import AS_PUBLISHED, LABELS, STATUS

WITHIN = ("description_within", "score_within", "side_within")


POOLED = ("describer", AS_PUBLISHED, "linear")
"""The describer of the text, the captioner's text as published, and a linear explanation."""
DECIDED = ("confidence", "likely")
"""P(right), and the texts that other images would have chosen (`describers.abstention`)."""


def publish_table(
    descriptions: Path,
    within: Path | None,
    out: Path,
    pooled: Path | None = None,
    decided: Path | None = None,
    several: Path | None = None,
) -> None:
    """Write the descriptions, with the within-network ones beside them where there are any.

    Args:
        descriptions: by a captioner that was not trained on the network.
        within: by a captioner that was trained on other units of the network.
        out: descriptions.csv.
        pooled: chosen by a judge among the captioner's candidates; these are then the descriptions,
            and the captioner's stand in a column of their own.
        decided: says which of them are reliable; then every unit has a status.
        several: labels of units that respond to several things; those with one label have none.

    """
    rows = read_csv(descriptions, COLUMNS)
    beside = _within(within) if within else {}
    chosen = _by_unit(pooled, [*COLUMNS, "linear"]) if pooled else {}
    labels = read_labels(several) if several else {}
    decisions = _by_unit(decided, [STATUS, *DECIDED]) if decided else {}
    silent = bool(decisions) or any(row.get(STATUS) for row in rows)
    table = []
    for row in rows:
        own = _own(chosen, row, pooled) if pooled else row
        about = _own(decisions, row, decided) if decided else row
        values = tuple(own[name] for name in COLUMNS)
        if within:
            key = row["layer"], row["unit"]
            if key not in beside:
                message = f"{within} lacks unit {key[1]} of {key[0]}; describe the network again"
                raise UserError(message)
            values += beside[key]
        status = [about[STATUS]] if silent else []
        more = ["pool", row["description"], own["linear"]] if pooled else []
        more += [about[name] for name in DECIDED] if decided else []
        if several:
            own_labels = labels.get((row["layer"], int(row["unit"])), [])
            more.append(one_cell(own_labels) if len(own_labels) > 1 else "")
        table.append((*values, *status, *more))
    columns = [*COLUMNS, *(WITHIN if within else ()), *([STATUS] if silent else [])]
    columns += POOLED if pooled else ()
    columns += DECIDED if decided else ()
    columns += (LABELS,) if several else ()
    write_csv(out, columns, table)


def _by_unit(path: Path, columns: list[str]) -> dict[tuple[str, str], dict[str, str]]:
    rows = read_csv(path, ["layer", "unit", *columns])
    return {(row["layer"], row["unit"]): row for row in rows}


def _own(
    chosen: dict[tuple[str, str], dict[str, str]], row: dict[str, str], path: Path
) -> dict[str, str]:
    key = row["layer"], row["unit"]
    if key not in chosen:
        raise UserError(f"{path} lacks unit {key[1]} of {key[0]}; describe the network again")
    return chosen[key]


def _within(path: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (row["layer"], row["unit"]): (row["description"], row["score"], row["side"])
        for row in read_csv(path, [*COLUMNS, "side"])
    }
