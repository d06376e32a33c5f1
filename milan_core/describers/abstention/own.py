"""Status and confidence for a network of the user's own, by a calibration that may be theirs.

found = assess(ranking, table, dataset, judge, Asked(annotations=Path("mine.csv")))
found.columns(keys, statuses)   # status, confidence and likely, for a table of descriptions
found.save(out)                 # evidence.csv, calibration.json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.describers.abstention.calibration import (
    Calibration,
    load_calibration,
    recalibrate,
)
from milan_core.describers.abstention.decision import Decision, decide
from milan_core.describers.abstention.measure import look, measure
from milan_core.describers.abstention.options import SHIPPED
from milan_core.describers.abstention.tables import (
    DECISIONS,
    Measured,
    decision_cells,
    read_annotated,
    write_evidence,
)
from milan_core.describers.ranking import Ranked, score_cell
from milan_core.exemplars.splits import heldout_images
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge
from milan_core.scoring.tables import STATUS

FEWEST = 100  # images that did not choose, from which a status is given
EVIDENCE, CALIBRATION = "evidence.csv", "calibration.json"
INTERVAL = ("correlation", "low", "high")
"""Correlation of the text with the unit on held-out images, and its 95 % interval over these."""
Cell = str | float | int


@dataclass(frozen=True)
class Asked:
    """A user's settings for deciding units.

    Attributes:
        annotations: units of this network whose descriptions are known to be right or wrong.
        calibration: a file of an earlier calibration; the one that is shipped by default. None:
            decide nothing, where no calibration is of the judge.
        alpha: share of units that may be answered wrongly; None: that of the calibration.
        made_by: the command, for the calibration's record.

    """

    annotations: Path | None = None
    calibration: Path | None = SHIPPED
    alpha: float | None = None
    made_by: str = "milan describe --calibrate"


@dataclass(frozen=True, eq=False)
class Assessed:
    """The evidence of a network, the calibration that decided, and its decisions.

    Attributes:
        measured: the evidence.
        low, high: float64 [units], 95 % interval of the held-out correlation over images.
        calibration: None where nothing was decided.
        decisions: none without a calibration.

    """

    measured: Measured
    low: np.ndarray
    high: np.ndarray
    calibration: Calibration | None
    decisions: list[Decision]

    def columns(self, keys: Sequence[UnitKey], statuses: Sequence[str]) -> dict[str, list[Cell]]:
        """Columns of a table of descriptions, for units in the order of `keys`.

        Args:
            keys: the units of the table.
            statuses: why each of them shows nothing; empty where it does.

        """
        evidence = self.measured.evidence
        place = {key: unit for unit, key in enumerate(evidence.keys)}
        values = np.column_stack([evidence.features[:, 0], self.low, self.high])
        known = [
            list(map(score_cell, values[place[key]])) if key in place else [""] * 3 for key in keys
        ]
        columns = {name: [row[place] for row in known] for place, name in enumerate(INTERVAL)}
        return columns if self.calibration is None else {**columns, **self._decided(keys, statuses)}

    def _decided(self, keys: Sequence[UnitKey], statuses: Sequence[str]) -> dict[str, list[Cell]]:
        cells = {one.key: decision_cells(one) for one in self.decisions}
        rows: list[Sequence[Cell]] = [
            cells.get(key, ["abstained", 0.0, ""]) if not silent else [silent, 0.0, ""]
            for key, silent in zip(keys, statuses, strict=True)
        ]
        columns = {name: [row[place] for row in rows] for place, name in enumerate(DECISIONS)}
        return {name: columns[name] for name in (*DECISIONS[1:], STATUS)}

    def save(self, out: Path) -> list[str]:
        """Write the evidence and the calibration into a folder; returns their names."""
        write_evidence(out / EVIDENCE, self.measured)
        if self.calibration is None:
            return [EVIDENCE]
        self.calibration.save(out / CALIBRATION)
        return [EVIDENCE, CALIBRATION]


def can_hold_out(images: Dataset) -> bool:
    """Whether enough images are held out by hash to test descriptions on."""
    return int(heldout_images(images.fingerprint, len(images), "split").sum()) >= FEWEST


def assess(
    ranking: Mapping[UnitKey, Sequence[Ranked]],
    table: ActivationTable,
    dataset: Dataset,
    judge: Judge,
    asked: Asked,
    seed: int = 0,
) -> Assessed:
    """Decide which descriptions are reliable.

    Args:
        ranking: candidates of every unit, best first.
        table: activations, some images held out from the ranking.
        dataset: its images.
        judge: says what they show.
        asked: by which calibration.
        seed: of texts that are compared.

    Raises:
        UserError: for too few images, and annotations or a calibration that cannot be used.

    """
    looked = look(ranking, table, dataset, judge, FEWEST)
    measured, (low, high) = measure(ranking, looked, {}, seed), looked.intervals(seed)
    if asked.calibration is None:
        return Assessed(measured, low, high, None, [])
    calibration = load_calibration(asked.calibration)
    if asked.annotations is not None:
        units = read_annotated(asked.annotations, measured.evidence)
        name = asked.annotations.name
        calibration = recalibrate(calibration, units, name, asked.made_by, asked.alpha)
    return Assessed(measured, low, high, calibration, decide(measured.evidence, calibration))
