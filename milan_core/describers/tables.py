"""The published table of one network."""

from __future__ import annotations

from pathlib import Path

from milan_core.captioner.descriptions import COLUMNS
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv

WITHIN = ("description_within", "score_within", "side_within")


def publish_table(descriptions: Path, within: list[Path], out: Path) -> None:
    """Write the primary descriptions, with the within-network ones beside where there are any."""
    rows = read_csv(descriptions, COLUMNS)
    extra: dict[tuple[str, str], tuple[str, ...]] = {}
    for path in within:
        for row in read_csv(path, [*COLUMNS, "side"]):
            key = row["layer"], row["unit"]
            extra[key] = (row["description"], row["score"], row["side"])
    table = []
    for row in rows:
        values = tuple(row[name] for name in COLUMNS)
        if within:
            key = row["layer"], row["unit"]
            if key not in extra:
                message = f"{within[0]} lacks unit {key[1]} of {key[0]}; describe the network again"
                raise UserError(message)
            values += extra[key]
        table.append(values)
    write_csv(out, COLUMNS + (WITHIN if within else ()), table)
