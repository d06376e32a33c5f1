"""The leaderboard over all networks of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from milan_core.core.numbers import number
from milan_core.core.tables import grouped
from milan_core.referee.board import Board
from milan_core.referee.board_means import pooled
from milan_core.referee.scored import rounded

EVERY = "all networks"
SANITY = ("judge", "metric", "missing", "extra", "both", "units")


def over_networks(boards: Sequence[Board], random: str) -> list[Board]:
    """The boards over all units of all networks, one a judge; a random network is no part of it."""
    joined = []
    for ones in grouped(boards, lambda board: board.facts.judge).values():
        learned = [board for board in ones if board.facts.model != random] or ones
        own = {name: why for board in learned for name, why in board.facts.own.items()}
        heldout = all(board.facts.heldout for board in learned)
        changed = {"model": EVERY, "heldout": heldout, "own": own}
        facts = learned[0].facts.model_copy(update=changed)
        joined.append(pooled(learned, facts))
    return joined


def long_rows(boards: Iterable[Board]) -> list[list[str | float | int]]:
    """Rows of leaderboard.csv."""
    return [row for board in boards for row in board.rows()]


def joined_sanity(
    judges: Sequence[str], tables: Sequence[Sequence[dict[str, str]]]
) -> list[dict[str, Any]]:
    """Shares of units that pass, over all networks of each judge."""
    rows = [
        row | {"judge": judge} for judge, table in zip(judges, tables, strict=True) for row in table
    ]
    joined = []
    for (judge, metric), ones in grouped(rows, lambda row: (row["judge"], row["metric"])).items():
        units = np.array([int(row["units"]) for row in ones])
        shares = {
            name: np.array([number(row[name]) for row in ones])
            for name in ("missing", "extra", "both")
        }
        total = int(units.sum())
        joined.append(
            {
                "judge": judge,
                "metric": metric,
                **{
                    name: float(np.nansum(values * units) / total) if total else float("nan")
                    for name, values in shares.items()
                },
                "units": total,
            }
        )
    return joined


def cells(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """Rows as table cells, numbers rounded."""
    return [
        [rounded(row[name]) if isinstance(row[name], float) else row[name] for name in columns]
        for row in rows
    ]
