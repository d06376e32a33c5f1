"""Files of abstention: the evidence of a network's units, and the user's annotations of some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import numbered_rows, write_csv
from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.calibration import (
    FEWEST_OF_A_KIND,
    Annotated,
    require_enough,
)
from milan_core.describers.abstention.concepts import same_concept
from milan_core.describers.abstention.decision import Decision
from milan_core.describers.abstention.evidence import FEATURES, Evidence, HeldOut
from milan_core.describers.abstention.null import passes
from milan_core.describers.abstention.options import MEANING, one_cell, texts_of
from milan_core.scoring.tables import Truth
from milan_core.scoring.units import example, unit_key

NOISE = ("shuffled_p", "shuffled_correlation", "shuffled_strong")
EVIDENCE = ("layer", "unit", "description", "right", "p", *NOISE, *FEATURES, "likely")
DECISIONS = ("status", "confidence", "likely")
DIGITS = 6  # significant digits
YES, NO = ("yes", "y", "1", "true", "right"), ("no", "n", "0", "false", "wrong")


@dataclass(frozen=True, eq=False)
class Measured:
    """A file of evidence.

    Attributes:
        evidence: of every ranked unit.
        right: float64 [units], whether the description names the unit's concept; NaN: not known.
        noise: the evidence of the same units if the images that score were shuffled.

    """

    evidence: Evidence
    right: np.ndarray
    noise: Evidence

    def annotated(self) -> Annotated:
        """The units whose descriptions are known to be right or wrong."""
        known = np.isfinite(self.right)
        return Annotated(
            self.evidence.features[known], self.evidence.passed[known], self.right[known]
        )


def rightness(evidence: Evidence, truth: Mapping[UnitKey, Truth]) -> np.ndarray:
    """Whether each description names the unit's concept: float64 [units], NaN where none is clear.

    As concept accuracy counts it (`scoring.tables.Truth`).
    """
    right = np.full(len(evidence.keys), math.nan)
    for unit, (key, text) in enumerate(zip(evidence.keys, evidence.texts, strict=True)):
        if (entry := truth.get(key)) is not None and entry.specific:
            right[unit] = entry.named_by(text)
    return right


def write_evidence(path: Path | str, measured: Measured) -> None:
    """Write one row a unit, six significant digits."""
    one, noise = measured.evidence, measured.noise
    rows: list[list[str | float | int]] = []
    for unit, key in enumerate(one.keys):
        right = "" if math.isnan(measured.right[unit]) else int(measured.right[unit])
        shuffled = [noise.p[unit], *noise.features[unit, :2]]
        numbers = [_short(value) for value in [one.p[unit], *shuffled, *one.features[unit]]]
        rows.append([*key, one.texts[unit], right, *numbers, one_cell(one.likely[unit])])
    write_csv(path, EVIDENCE, rows)


def _short(value: float) -> float | str:
    return cell(float(f"{value:.{DIGITS}g}"))


def read_evidence(path: Path | str) -> Measured:
    """Read a file of `write_evidence`; refuses numbers that are none, and a unit with two rows."""
    keys, texts, numbers, likely = [], [], [], []
    names = ("right", "p", *NOISE, *FEATURES)
    for line, row in numbered_rows(path, EVIDENCE):
        try:
            numbers.append([float(row[name]) if row[name] else math.nan for name in names])
        except ValueError as error:
            raise UserError(f"{path}, line {line}: {error}; measure the evidence again") from None
        keys.append(unit_key(row, path))
        texts.append(row["description"])
        likely.append(texts_of(row["likely"]))
    if len(set(keys)) < len(keys):
        raise UserError(f"{path}: a unit has two rows; measure the evidence again")
    array = np.array(numbers, np.float64).reshape(len(keys), len(names))
    p, features = array[:, 1], array[:, 5:]
    evidence = Evidence(keys, texts, features, p, passes(p, keys), likely)
    apart = HeldOut(array[:, 3], array[:, 4], array[:, 2])
    return Measured(evidence, array[:, 0], evidence.judged_by(apart))


def decision_cells(decision: Decision) -> list[str | float]:
    """Cells of `DECISIONS`."""
    return [decision.status, _short(decision.confidence), one_cell(decision.likely)]


def read_answers(path: Path) -> tuple[str, dict[UnitKey, str]]:
    """The user's annotations of some units: the column that has them, and its cells by unit.

    Raises:
        UserError: for other columns or cells, and two rows of one unit.

    """
    column, answers = "", {}
    for line, row in numbered_rows(path, ("layer", "unit")):
        column = next((name for name in ("right", "text") if name in row), "")
        if not column:
            break
        key, cell_text, where = unit_key(row, path), row[column].strip(), f"{path}, line {line}"
        if key in answers:
            raise UserError(f"{where}: layer {key[0]!r} unit {key[1]} appears twice")
        if not cell_text or (column == "right" and cell_text.lower() not in YES + NO):
            expected = "yes or no" if column == "right" else "a right description"
            raise UserError(f"{where}: {column}: expected {expected}, got {row[column]!r}")
        answers[key] = cell_text
    if not column:
        raise UserError(
            f"{path}: expected rows with the columns layer, unit and right (yes or no) or text (a "
            "right description)"
        )
    return column, answers


def check_answers(path: Path, alpha: float | None = None) -> None:
    """Refuse annotations that cannot calibrate, before the work that they need.

    Args:
        path: their file.
        alpha: share of units that may be answered wrongly; None: that of a calibration.

    Raises:
        UserError: as `read_answers`, for too few units, and too few right or wrong ones.

    """
    column, answers = read_answers(path)
    right = [answer.lower() in YES for answer in answers.values()]
    enough = column == "text" or min(sum(right), len(right) - sum(right)) >= FEWEST_OF_A_KIND
    require_enough(path.name, len(answers), sum(right) if not enough else None, alpha)


def read_annotated(path: Path, evidence: Evidence) -> Annotated:
    """The user's annotations of some units beside their evidence.

    A row has layer and unit, and either `right` (yes or no: is the description of this unit
    right?) or `text` (a right description: the unit's own is right where both share a word that
    says what they are about).

    Raises:
        UserError: as `read_answers`, and for units that have no description.

    """
    column, answers = read_answers(path)
    place = {key: unit for unit, key in enumerate(evidence.keys)}
    if strange := answers.keys() - place.keys():
        raise UserError(
            f"{path}: {example(strange)} have no description here; annotate units of this network "
            "that show something to describe"
        )
    chosen = np.array([place[key] for key in answers], np.int64)
    right = [
        answer.lower() in YES if column == "right" else _names(answer, evidence.texts[unit])
        for unit, answer in zip(chosen, answers.values(), strict=True)
    ]
    return Annotated(
        evidence.features[chosen], evidence.passed[chosen], np.array(right, np.float64)
    )


def _names(given: str, said: str) -> bool:
    return same_concept(given, said) or given.lower() == said.lower()


def counts_of(decisions: Sequence[Decision]) -> dict[str, int]:
    """Units of each status."""
    return {status: sum(one.status == status for one in decisions) for status in MEANING}
