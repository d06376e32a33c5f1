"""Scores of the variants beside the main descriptions: the same units, references and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.scoring.compared import INTERVALS, REPORTED, compared_row
from milan_core.scoring.scorer import Scorer

MAIN = "main"
COLUMNS = ("model", "variant", *INTERVALS, *REPORTED, "n")


def variant_rows(
    model: str, tables: Mapping[str, Mapping[UnitKey, str]], scorer: Scorer
) -> list[list[Any]]:
    """One row per table of descriptions, `main` among them; gains are over `main`."""
    measured = {
        name: scorer.measure([scorer.references.ordered(table, f"the descriptions by {name!r}")])
        for name, table in tables.items()
    }
    rows = []
    for name, values in measured.items():
        row = compared_row(values, measured[MAIN], scorer.bootstrap, scorer.clusters)
        rows.append([model, name, *(cell(row[column]) for column in COLUMNS[2:])])
    return rows
