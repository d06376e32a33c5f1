"""Scores of what was said of a network, in blocks of explanations that jobs may share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from milan_core.core.parts import Block, Work, as_array, from_array
from milan_core.core.shapes import check_arrays
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.resampling import Interval
from milan_core.referee.score import Bench, BlockScores
from milan_core.referee.scored import Explanation, Scored


def scoring(bench: Bench, explanations: Sequence[Explanation], *roots: str) -> Work:
    """The scores of `explanations`; `roots` are modules that the judge is found in by name."""
    grid = bench.grid(explanations)

    def make(number: int) -> Block:
        block = bench.score_block(explanations, grid[number])
        rows = [
            [
                *row.key,
                row.description,
                row.status,
                *map(astuple, (row.correlation, row.auprc)),
                dict(row.others),
            ]
            for row in block.rows
        ]
        return {"places": block.places, "rows": as_array(rows), **block.resampled}

    return Work(len(grid), make, network=None, roots=roots)


def read_scores(block: Block) -> BlockScores:
    """The scores of a block of `scoring`."""
    form = dict.fromkeys(HEADLINE, "float32 resamples places")
    check_arrays(block, {"places": "int64 places", **form})
    rows = [
        Scored((layer, unit), text, status, Interval(*correlation), Interval(*auprc), others)
        for layer, unit, text, status, correlation, auprc, others in from_array(block["rows"])
    ]
    return BlockScores(block["places"], rows, {name: block[name] for name in HEADLINE})
