"""Tables of the strategies: scores, which every run gives alike, and measured costs apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from milan_core.core.tables import Row, cell
from milan_core.experiments.decoding.strategies import Decoded
from milan_core.scoring.compared import HALVES, INTERVALS, REPORTED, compared_row
from milan_core.scoring.scorer import (
    ACCURACY,
    BERT_AUC,
    BERT_F,
    FALSE_NAMES,
    Measured,
    Scorer,
)

COLUMNS = (
    *("model", "strategy", "beams", "lambda", "judged_by"),
    *INTERVALS,
    *HALVES,
    *REPORTED,
    "n",
)
TIMING = ("model", "strategy", "beams", "units", "cpu_seconds", "cpu_ms_per_unit")
MAY_LACK = (
    ACCURACY,
    FALSE_NAMES,
    BERT_F,
    BERT_AUC,
)  # columns that are left out when no network has them


def score_rows(model: str, decoded: Iterable[Decoded], scorer: Scorer) -> list[list[Any]]:
    """One row per strategy; gains are over the first, which is greedy."""
    rows = []
    greedy: Measured | None = None
    for one in decoded:
        measured = scorer.measure(one.rounds)
        greedy = greedy or measured
        row: dict[str, Any] = {
            "strategy": one.strategy,
            "beams": one.beams,
            "lambda": float(one.weight),
            **compared_row(measured, greedy, scorer.bootstrap, scorer.clusters),
        }
        rows.append([model, *(cell(row[name]) for name in COLUMNS[1:])])
    return rows


def cost_rows(
    model: str, costs: Sequence[tuple[str, int, float]], units: int
) -> list[tuple[Any, ...]]:
    """Rows of timing.csv: CPU seconds of every search, and milliseconds per unit."""
    return [
        (model, name, beams, units, round(cost, 3), round(1000 * cost / units, 3))
        for name, beams, cost in costs
    ]


def shown_columns(rows: Sequence[Row]) -> list[str]:
    """The columns of the joined table: those of some network at least."""
    return [name for name in COLUMNS if name not in MAY_LACK or any(row[name] for row in rows)]
