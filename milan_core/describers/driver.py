"""The one way to run a describer: check what it needs, describe, check what it says, write tables.

said = describe(load_describer(options, resources), ExemplarUnits(exemplars, images))
write_descriptions(out / "descriptions.csv", said, describer.form)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from milan_core.core.files import write_csv
from milan_core.core.tensors import save_tensors
from milan_core.describers.describer import Cell, Describer, Description, Descriptions, TableForm
from milan_core.describers.units import Units
from milan_core.exemplars.status import ACTIVE, UnitStatus
from milan_core.scoring.tables import STATUS

KEY = ("layer", "unit", "description")
BEAMS_KIND, BEAMS_VERSION = "milan-beams", 1
CANDIDATES = ("logp", "logp_lm", "score", "similarity")
"""Scores of candidates in candidates.csv; those that a describer lacks are empty."""


def describe(describer: Describer, units: Units) -> Descriptions:
    """Describe units by a describer; refuse units that do not offer what it needs.

    A unit that shows nothing (`milan_core.exemplars.status`) gets that as its status, and no text.
    A saturated unit keeps its text where the describer ranks images: their largest values may
    differ although no mask does.
    """
    describer.prepare(units.offers)
    descriptions = describer.describe(units)
    silent = units.silent
    if not silent:
        return descriptions if silent is not None else replace(descriptions, seen=False)
    ranks = bool(describer.Options.needs & {"activations", "maxima"})
    rows = [
        _silenced(row, silent[key], keep=ranks and silent[key] == "saturated")
        if key in silent
        else row
        for key, row in zip(descriptions.keys, descriptions.rows, strict=True)
    ]
    return replace(descriptions, rows=rows)


def _silenced(row: Description, status: UnitStatus, *, keep: bool) -> Description:
    return replace(row, silent=status) if keep else Description("", silent=status)


def table_rows(descriptions: Descriptions, form: TableForm) -> list[list[Cell]]:
    """Rows of a table: layer, unit, description, then the columns of the form."""
    return [
        [*key, row.text, *(_cell(row, name, form.digits) for name in form.columns)]
        for key, row in zip(descriptions.keys, descriptions.rows, strict=True)
    ]


def _cell(row: Description, column: str, digits: int | None) -> Cell:
    if row.silent != ACTIVE and not row.text:
        return ""
    value = row.score if column == "score" else row.cells.get(column, "")
    if digits is None or isinstance(value, str):
        return value
    return float(f"{value:.{digits}g}")


def write_descriptions(
    path: Path,
    descriptions: Descriptions,
    form: TableForm,
    beside: Mapping[str, Sequence[Cell]] | None = None,
) -> None:
    """Write one row a unit (`full_table`)."""
    write_csv(path, *full_table(descriptions, form, beside))


def full_table(
    descriptions: Descriptions,
    form: TableForm,
    beside: Mapping[str, Sequence[Cell]] | None = None,
) -> tuple[tuple[str, ...], list[list[Cell]]]:
    """Columns and rows, one a unit; `beside` are further columns at the end.

    The last one is `status`, where some unit shows nothing: it is empty for those that do, and
    `unknown` where nobody has seen the units. A status that `beside` brings is kept.
    """
    beside = dict(beside or {})
    if any(descriptions.statuses) and STATUS not in beside:
        beside[STATUS] = descriptions.statuses
    rows = [
        [*row, *(column[index] for column in beside.values())]
        for index, row in enumerate(table_rows(descriptions, form))
    ]
    return (*KEY, *form.columns, *beside), rows


def write_all(
    folder: Path,
    descriptions: Descriptions,
    form: TableForm,
    beside: Mapping[str, Sequence[Cell]] | None = None,
) -> list[str]:
    """Write the table, candidates and beams of units, as far as there are any; returns names."""
    names = ["descriptions.csv"]
    write_descriptions(folder / names[0], descriptions, form, beside)
    if descriptions.candidates is not None:
        names.append("candidates.csv")
        write_candidates(folder / names[-1], descriptions)
        if (
            "logp" in descriptions.candidates.scores
            and len(set(map(len, descriptions.candidates.texts))) == 1
        ):
            names.append("beams.safetensors")
            write_beams(folder / names[-1], descriptions)
    return names


def write_methods(path: Path, methods: Iterable[tuple[str, Descriptions]], form: TableForm) -> None:
    """Write what several methods say, below each other; the last column as in one table."""
    rows, statuses = [], []
    for name, one in methods:
        rows += [[name, *row] for row in table_rows(one, form)]
        statuses += one.statuses
    columns = ("method", *KEY, *form.columns)
    if any(statuses):
        rows = [[*row, status] for row, status in zip(rows, statuses, strict=True)]
        columns = (*columns, STATUS)
    write_csv(path, columns, rows)


def write_candidates(path: Path, descriptions: Descriptions, digits: int = 6) -> None:
    """Write every candidate of every unit with its rank and its scores."""
    candidates = descriptions.candidates
    if candidates is None:
        raise ValueError("this describer gives no candidates")
    rows: list[list[Cell]] = []
    for unit, (key, texts) in enumerate(zip(descriptions.keys, candidates.texts, strict=True)):
        if descriptions.rows[unit].silent != ACTIVE and not descriptions.rows[unit].text:
            continue
        for rank, text in enumerate(texts):
            values = [_score(candidates.scores.get(name), unit, rank) for name in CANDIDATES]
            cells = [x if isinstance(x, str) else float(f"{x:.{digits}g}") for x in values]
            rows.append([*key, rank, text, *cells])
    write_csv(path, ("layer", "unit", "rank", "description", *CANDIDATES), rows)


def _score(values: np.ndarray | None, unit: int, rank: int) -> float | str:
    if values is None or np.isnan(values[unit, rank]):
        return ""
    return float(values[unit, rank])


def write_beams(path: Path, descriptions: Descriptions) -> None:
    """Write log p(d|E) and log p(d) of every candidate as a `milan-beams` file.

    Without a language model every log p(d) is 0, so that no lambda changes the order.
    """
    candidates = descriptions.candidates
    if candidates is None or "logp" not in candidates.scores:
        raise ValueError("this describer gives no candidates with log p(d|E)")
    logp = candidates.scores["logp"]
    prior = candidates.scores.get("logp_lm", np.zeros_like(logp))
    arrays = {"logp": logp.astype(np.float32), "logp_lm": prior.astype(np.float32)}
    meta = {
        "captions": [list(texts) for texts in candidates.texts],
        "layers": [layer for layer, _ in descriptions.keys],
        "units": [unit for _, unit in descriptions.keys],
    }
    save_tensors(path, BEAMS_KIND, BEAMS_VERSION, arrays, meta)
