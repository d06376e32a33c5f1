"""Ground truth of units: the concept under the masks of a unit, in the manner of NetDissect.

A concept is *clear* for a unit when it covers at least half of the masked pixels of the exemplars,
supports at least 8 of 15 of them (or the same share of any k), and covers more than in the whole
data set. The finest tier with a clear concept wins: object, text, face or surface; then
super-class; then the kinds `object` and `background`, which do not count as specific.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.files import write_csv
from milan_core.world.concepts import ConceptTable

MIN_COVERAGE = 0.5
MIN_SUPPORT = 8 / 15
HEADER = (
    "layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept",
    "second", "second_coverage",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Verdict:
    """The concepts of a unit, as indices of the table; -1 is none."""

    best: int  # the clear concept, else the one most above its base rate
    second: int  # the leaf next above its base rate
    rank: int  # 0 leaf, 1 super-class, 2 kind, 3 nothing clear
    coverage: np.ndarray  # float64 [C]
    support: np.ndarray  # int64 [C]

    @property
    def specific(self) -> bool:
        """Whether the clear concept is a leaf or a super-class."""
        return self.rank <= 1


def judge(
    table: ConceptTable,
    counts: np.ndarray,
    min_coverage: float = MIN_COVERAGE,
    min_support: float = MIN_SUPPORT,
) -> Verdict:
    """The verdict on a unit from counts int64 (k, L, K); `min_support` is a share of k."""
    coverage, support = table.cover(counts)
    if not coverage.any():
        return Verdict(-1, -1, 3, coverage, support)
    lift = coverage - table.base
    least = math.ceil(min_support * len(counts) - 1e-9)
    clear = (coverage >= min_coverage) & (support >= least) & (lift > 0)
    rank = int(table.ranks[clear].min()) if clear.any() else 3
    pool = clear & (table.ranks == rank) if rank < 3 else np.ones_like(clear)
    best = int(np.where(pool, lift, -np.inf).argmax())
    others = (table.ranks == 0) & (lift > 0)
    others[best] = False
    second = int(np.where(others, lift, -np.inf).argmax()) if others.any() else -1
    return Verdict(best, second, rank, coverage, support)


def truth_row(table: ConceptTable, layer: str, unit: int, counts: np.ndarray) -> list[object]:
    """The row of truth.csv for one unit."""
    verdict = judge(table, counts)
    if verdict.best < 0:
        return [layer, unit, "nothing", "none", 0.0, 0, 0, "", "", 0.0]
    best = table.concepts[verdict.best]
    second = table.concepts[verdict.second].name if verdict.second >= 0 else ""
    return [
        layer,
        unit,
        best.name,
        best.tier if verdict.rank < 3 else "none",
        round(float(verdict.coverage[verdict.best]), 6),
        int(verdict.support[verdict.best]),
        int(verdict.specific),
        ";".join(best.accept),
        second,
        round(float(verdict.coverage[verdict.second]), 6) if second else 0.0,
    ]


# (layer, unit numbers [u], ids int64 [u, k], masks bool [u, k, H, W])
Chunk = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def truth_rows(table: ConceptTable, chunks: Iterable[Chunk]) -> Iterator[list[object]]:
    """Rows of truth.csv for chunks of units, in their order."""
    for layer, units, ids, masks in chunks:
        counts = table.look(ids, masks).counts
        for unit, pixels in zip(units.tolist(), counts, strict=True):
            yield truth_row(table, layer, unit, pixels)


def write_truth(path: Path | str, rows: Iterable[list[object]]) -> None:
    """Write truth.csv."""
    write_csv(path, HEADER, rows)
