"""Section of the report on a table of descriptions that somebody wrote, and the tables it shows."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from milan_core.core.files import write_csv
from milan_core.core.numbers import counted
from milan_core.core.section import Column, Section, Table, write_section
from milan_core.referee.board import ALL, Board, Place
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.said import WORD
from milan_core.referee.score import FOR_COMPARISON
from milan_core.referee.scored import rounded
from milan_core.referee.section import TRIVIAL_NAMES
from milan_core.referee.summary import (
    COMPARISON,
    CONTROL,
    SANITY,
    STATUSES,
    TITLES,
    Summarized,
    opening,
    warnings,
)

SECTION = "section.json"
DESCRIBERS, COMPARED, CONTROLS = "describers.csv", "comparison.csv", "random_weights.csv"
MEANS = tuple(f"{score}{end}" for score in HEADLINE for end in ("", "_low", "_high"))
LEAD = ("lead", "lead_low", "lead_high")
NAMES = {**TRIVIAL_NAMES, WORD: "random text of the table"}


def write_submitted(result: Summarized, folder: Path) -> list[str]:
    """Write the section and its tables beside scores.csv and sanity.csv; returns their names."""
    ours, *trivial = result.board.describers
    write_csv(folder / DESCRIBERS, ("describer", *MEANS, *LEAD, "units"), _describers(result.board))
    boards = {"mean": (result.board, ours)}
    boards |= {name: (result.board, name) for name in trivial}
    compared = _compared(boards, FOR_COMPARISON, folder / COMPARED)
    items = [
        Table(
            DESCRIBERS,
            "Means over units, 95 % intervals over resampled images. Lead: mean paired difference "
            "of the correlation to the first row.",
            [
                Column("describer", "describer"),
                *(_interval(score, TITLES[score]) for score in HEADLINE),
                _interval("lead", "lead"),
                Column("units", "units", "integer"),
            ],
        ),
        Table(COMPARED, f"Scores for comparison. {COMPARISON}", compared),
    ]
    written = [DESCRIBERS, COMPARED]
    if result.controls:
        sides = {
            name: (board, board.describers[0])
            for name, board in zip(("network", "random"), result.controls, strict=True)
        }
        columns = _compared(sides, (*HEADLINE, *FOR_COMPARISON), folder / CONTROLS)
        items.append(Table(CONTROLS, CONTROL, columns))
        written.append(CONTROLS)
    items += _unit_tables()
    counts = "; ".join(f"{STATUSES[status]} ({n})" for status, n in result.counts().items())
    paragraphs = [
        html.unescape(opening(result)),  # the page escapes by itself
        f"{counted(len(result.rows), 'unit')}: {counts}.",
        " ".join(result.notes),
        *(text.replace("**", "") for text in warnings(result)),
    ]
    section = Section("scores", "Are these descriptions true?", 5, paragraphs, items)
    write_section(folder / SECTION, section)
    return [*written, SECTION]


def _unit_tables() -> list[Table]:
    """The tables of every unit and of the sanity tests, folded."""
    return [
        Table(
            "scores.csv",
            "Every unit",
            [
                Column("layer", "layer"),
                Column("unit", "unit", "integer"),
                Column("description", "description"),
                Column("status", "status"),
                *(_interval(score, TITLES[score]) for score in HEADLINE),
            ],
            folded=True,
        ),
        Table(
            "sanity.csv",
            SANITY,
            [
                Column("metric", "score"),
                *(Column(name, name, "percent") for name in ("missing", "extra", "both")),
                Column("units", "units", "integer"),
            ],
            folded=True,
        ),
    ]


def _interval(name: str, title: str) -> Column:
    return Column(name, title, "number", 3, f"{name}_low", f"{name}_high")


def _describers(board: Board) -> list[list[Any]]:
    rows = []
    for name in board.describers:
        means = [board.means[Place(name, ALL, score)] for score in HEADLINE]
        shown = [*(mean.intervals()[0] for mean in means), means[0].intervals()[1]]
        numbers = [x for one in shown for x in (one.value, one.low, one.high)]
        rows.append([NAMES.get(name, name), *map(rounded, numbers), means[0].units])
    return rows


def _compared(
    sides: dict[str, tuple[Board, str]], scores: tuple[str, ...], path: Path
) -> list[Column]:
    """Write one row a score with the mean of each side, the first with an interval; its columns."""
    rows = []
    for score in scores:
        means = [board.means.get(Place(who, ALL, score)) for board, who in sides.values()]
        if means[0] is not None:
            first = means[0].intervals()[0]
            beside = ["" if mean is None else rounded(mean.value) for mean in means[1:]]
            own = map(rounded, (first.value, first.low, first.high))
            rows.append([TITLES.get(score, score), *own, *beside, means[0].units])
    leading, *others = sides
    write_csv(path, ("score", leading, f"{leading}_low", f"{leading}_high", *others, "units"), rows)
    return [
        Column("score", "score"),
        _interval(leading, leading),
        *(Column(name, name.replace("_", " "), "number", 3) for name in others),
        Column("units", "units", "integer"),
    ]
