"""The ranking of a unit's candidates by pool and verify: its file, its columns and its reader.

A run writes `results/{model}/pool/ranking.csv`, `milan describe` the same file into its folder. It
has one row a candidate, best first, for every unit that shows something to describe:

    layer, unit     the unit
    rank            0 is the description
    description     the text
    source          the describer that proposed it (`milan`: the captioner's beams)
    logp, logp_lm   log p(d|E) and log p(d); empty for a text that the captioner did not propose
    fit             corr(max(z(a), 0)^2, z(v1) + z(v3)) on the mining images
    fit_chooser     the same with z(v1) alone, the chooser of names
    fit_judge       the same with z(v3) alone, the judge
    range           corr(a, z(v1) + z(v3)): over the whole range of activations
    score           what the ranking is by: fit + 0.02 (logp - 0.5 logp_lm)
    wins            share of 100 bootstraps of these images in which the text comes first
                    (`abstention.stability`); empty where there were none

where a is the unit's pooled activation, v1 and v3 the presence of the text by the two judges, and z
standardizes over the images. A correlation with a constant is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from milan_core.core.errors import UserError
from milan_core.core.files import numbered_rows, write_csv
from milan_core.core.units import UnitKey

NAME = "ranking.csv"
SCORES = ("logp", "logp_lm", "fit", "fit_chooser", "fit_judge", "range", "score", "wins")
COLUMNS = ("layer", "unit", "rank", "description", "source", *SCORES)
DIGITS = 6  # significant digits of a score
NONE = float("nan")


class Ranked(NamedTuple):
    """One candidate of a unit; log p(d|E) and log p(d) are NaN where the captioner has none."""

    text: str
    source: str
    logp: float
    logp_lm: float
    fit: float
    fit_chooser: float
    fit_judge: float
    range: float
    score: float
    wins: float = NONE


Ranking = dict[UnitKey, list[Ranked]]
"""Candidates by unit, best first."""


def write_ranking(path: Path, ranking: Mapping[UnitKey, Sequence[Ranked]]) -> None:
    """Write the candidates of all units, in the order of the mapping."""
    write_csv(path, COLUMNS, _rows(ranking))


def _rows(ranking: Mapping[UnitKey, Sequence[Ranked]]) -> Iterable[list[str | float | int]]:
    for (layer, unit), candidates in ranking.items():
        for rank, one in enumerate(candidates):
            cells = [score_cell(getattr(one, name)) for name in SCORES]
            yield [layer, unit, rank, one.text, one.source, *cells]


def score_cell(value: float) -> float | str:
    """A score as a table cell: `DIGITS` significant digits, empty for NaN."""
    return "" if value != value else float(f"{value:.{DIGITS}g}")


def read_ranking(path: Path | str) -> Ranking:
    """Read a file of `write_ranking`.

    Raises:
        UserError: with file and line, for missing columns, a score that is no number, and ranks of
            a unit that do not count from 0.

    """
    ranking: Ranking = {}
    for line, row in numbered_rows(path, COLUMNS):
        try:
            key, rank = (row["layer"], int(row["unit"])), int(row["rank"])
            scores = [float(row[name]) if row[name] else NONE for name in SCORES]
        except ValueError as error:
            raise UserError(f"{path}, line {line}: {error}; describe the network again") from None
        candidates = ranking.setdefault(key, [])
        if rank != len(candidates):
            raise UserError(
                f"{path}, line {line}: rank {rank} of unit {key[1]} of {key[0]}, expected "
                f"{len(candidates)}; describe the network again"
            )
        candidates.append(Ranked(row["description"], row["source"], *scores))
    return ranking
