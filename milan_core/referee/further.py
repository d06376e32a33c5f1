"""Scores that are printed for comparison beside correlation and AUPRC: S4, S5 and S7.

    further = Further(table, positions, seed, vectors)
    further.of(("layer4", 7), a, c)    # of a unit and a text, on the images at `positions`

What depends on the unit alone, such as its sheet and the images of its trial, is made once.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.referee.cosy import cosy
from milan_core.referee.detection import (
    SHEET,
    Trial,
    detection,
    discrimination,
    nearest_units,
    sheets_apart,
    trial,
)
from milan_core.referee.structure import clarity, monosemanticity, redundancy
from milan_core.referee.table import evenly

FUZZED = ("fuzzing", "fuzzing auroc", "active fuzzing", "active fuzzing auroc")
"""Scores that need masks: `fuzzing`."""
OF_UNIT = ("clarity", "monosemanticity", "monosemanticity .999")
"""Scores that need vectors of the images, and no text."""
FURTHER = (
    *("detection", "detection auroc", "detection calibration", "discrimination"),
    *("cosy auc", "cosy mad", "cosy images"),
    *OF_UNIT,
)
COMPARED = 4000  # images, evenly over all, by which units are compared with each other


class Sheets:
    """The strongest images of every unit, and its nearest unit in the layer.

    Args:
        table: activations.
        positions: int64 [n], columns that score.
        pool: of the table.

    """

    def __init__(self, table: ActivationTable, positions: np.ndarray, pool: str = "max") -> None:
        units = table.facts.units
        self.sheets = np.zeros((units, min(SHEET, len(positions))), np.int64)
        self.nearest = np.full(units, -1, np.int64)  # row of the nearest unit; -1: none
        self.layers: dict[str, slice] = {}
        for rows, block in table.blocks(pool, positions):
            order = np.argsort(-block, axis=1, kind="stable")
            self.sheets[rows] = order[:, : self.sheets.shape[1]]
        first = 0
        for layer, count in table.facts.layers:
            members = slice(first, first + count)
            self.layers[layer] = members
            near = nearest_units(table.block(members, pool, evenly(positions, COMPARED)))
            self.nearest[members] = np.where(near >= 0, near + first, -1)
            first += count


class Further:
    """Scores for comparison of units and texts on fixed images.

    Args:
        table: activations of the network.
        positions: int64 [n], columns that score.
        seed: of the draws.
        vectors: float32 [n, d], unit vectors of the images, where the judge has some.
        pool: of the table.

    """

    def __init__(
        self,
        table: ActivationTable,
        positions: np.ndarray,
        seed: int,
        vectors: np.ndarray | None = None,
        pool: str = "max",
    ) -> None:
        self._table, self._positions, self._pool = table, positions, pool
        self._row_of = {key: row for row, key in enumerate(table.keys)}
        self._seed, self._vectors = seed, vectors
        self._trials: dict[UnitKey, Trial | None] = {}
        self._apart: dict[UnitKey, tuple[np.ndarray, np.ndarray]] = {}  # of the nearest unit

    @functools.cached_property
    def _sheets(self) -> Sheets:
        """Made when the first score is: a job that joins scores needs none."""
        return Sheets(self._table, self._positions, self._pool)

    @functools.cached_property
    def _of_unit(self) -> np.ndarray:
        """OF_UNIT of every unit, float64 [units, 3]; NaN without vectors."""
        values, vectors = np.full((len(self._row_of), len(OF_UNIT)), np.nan), self._vectors
        if vectors is not None:
            for rows, block in self._table.blocks(self._pool, self._positions):
                values[rows, 0] = [clarity(vectors[self._sheets.sheets[r]]) for r in rows]
                values[rows, 1] = monosemanticity(block.T, vectors)
                values[rows, 2] = monosemanticity(block.T, vectors, 0.999)
        return values

    def of(self, key: UnitKey, a: np.ndarray, c: np.ndarray) -> dict[str, float]:
        """FURTHER of one text, NaN where one is undefined.

        Args:
            key: the unit.
            a: float32 [n], its activations.
            c: float32 [n], presence of the text.

        """
        row = self._row_of[key]
        if key not in self._trials:
            self._trials[key] = trial(a, self._seed, *key, vectors=self._vectors)
            sheets = self._sheets.sheets
            if (other := int(self._sheets.nearest[row])) >= 0:
                self._apart[key] = sheets_apart(sheets[row], sheets[other])
        out = dict.fromkeys(FURTHER, float("nan"))
        if (images := self._trials[key]) is not None:
            told = detection(c, images)
            out["detection"], out["detection auroc"] = told.accuracy, told.auroc
            out["detection calibration"] = told.calibration
        if key in self._apart:
            out["discrimination"] = discrimination(c, *self._apart[key])
        drawn = cosy(a, c, self._seed)
        out["cosy auc"], out["cosy mad"], out["cosy images"] = drawn.auc, drawn.mad, drawn.images
        return out | dict(zip(OF_UNIT, self._of_unit[row].tolist(), strict=True))

    def redundancy(self) -> Mapping[str, float]:
        """Mean largest cosine of a unit's mean exemplar to another's, by layer; needs vectors."""
        out = {}
        for layer, rows in self._sheets.layers.items():
            if self._vectors is not None:
                means = self._vectors[self._sheets.sheets[rows]].mean(1)
                norms = np.linalg.norm(means, axis=1, keepdims=True)
                out[layer] = redundancy(means / np.maximum(norms, 1e-12))
        return out
