"""The published table of one network: its main descriptions, within-network ones beside them."""

from __future__ import annotations

from pathlib import Path

from milan_core.captioner.descriptions import COLUMNS
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.scoring.tables import STATUS

WITHIN = ("description_within", "score_within", "side_within")


def publish_table(descriptions: Path, within: Path | None, out: Path) -> None:
    """Write the main descriptions, with the within-network ones beside them where there are any.

    Args:
        descriptions: by a captioner that was not trained on the network.
        within: by a captioner that was trained on other units of the network.
        out: descriptions.csv.

    """
    rows = read_csv(descriptions, COLUMNS)
    beside = _within(within) if within else {}
    silent = any(row.get(STATUS) for row in rows)
    table = []
    for row in rows:
        values = tuple(row[name] for name in COLUMNS)
        if within:
            key = row["layer"], row["unit"]
            if key not in beside:
                message = f"{within} lacks unit {key[1]} of {key[0]}; describe the network again"
                raise UserError(message)
            values += beside[key]
        table.append((*values, *([row[STATUS]] if silent else [])))
    columns = (*COLUMNS, *(WITHIN if within else ()), *([STATUS] if silent else []))
    write_csv(out, columns, table)


def _within(path: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (row["layer"], row["unit"]): (row["description"], row["score"], row["side"])
        for row in read_csv(path, [*COLUMNS, "side"])
    }
