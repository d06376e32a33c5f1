"""Accuracy by how much of a tested unit's exemplars the captioner has seen in training.

Networks probed with the same images share exemplars, and layers of one residual stream share
units: part of an accuracy is recognizing seen pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.files import read_csv, write_csv
from milan_core.core.numbers import percent
from milan_core.core.tables import Row, cell
from milan_core.core.units import UnitKey
from milan_core.exemplars.overlap import Overlap
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN, EncoderFacts
from milan_core.experiments.generalization.tables import NAMES
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.units import unit_key
from milan_core.scoring.verdicts import FEWEST

UNITS = (
    "layer", "unit", "seen", "nearest", "related", "duplicate", "train", "train_layer",
    "train_unit",
)  # fmt: skip
BINS = ((0.0, 0.2), (0.2, 0.4), (0.4, 1.01))
TABLE = (
    *NAMES, "tested", "seen", "related", "duplicates",
    *(f"{what}_{place}" for place in range(len(BINS)) for what in ("units", "accuracy")),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """The overlap of training with one tested unit, as read from a file."""

    seen: float
    nearest: float
    related: bool
    duplicate: bool


def write_overlaps(path: Path, found: Mapping[UnitKey, Overlap]) -> None:
    """Write the overlap of every tested unit."""
    rows = []
    for key, one in found.items():
        name, (layer, unit) = one.unit if one.unit else ("", ("", ""))
        flags = (int(one.related), int(one.duplicate))
        rows.append([*key, one.seen, one.nearest, *flags, name, layer, unit])
    write_csv(path, UNITS, rows)


def read_overlaps(path: Path) -> dict[UnitKey, Known]:
    """The table of `write_overlaps` by unit."""
    return {
        unit_key(row, path): Known(
            float(row["seen"]),
            float(row["nearest"]),
            row["related"] == "1",
            row["duplicate"] == "1",
        )
        for row in read_csv(path, UNITS)
    }


def overlap_row(
    key: Sequence[str], group: Sequence[Trial], known: Mapping[UnitKey, Known], right: np.ndarray
) -> dict[str, Any]:
    """One row of overlap.csv; `right` float64 [trials, units] of the tested units, NaN unjudged.

    Accuracies are of the judged units by the largest share of exemplars that they have in common
    with one training unit, empty for fewer than ten units.
    """
    units = [unit for unit in group[0].tested if unit in known]
    of_unit = dict(zip(group[0].tested, right.mean(axis=0), strict=True))
    values = np.array([of_unit[unit] for unit in units])
    nearest = np.array([known[unit].nearest for unit in units])
    row: dict[str, Any] = dict(zip(NAMES, key, strict=True))
    row["tested"] = len(units)
    row["seen"] = cell(float(np.mean([known[unit].seen for unit in units])))
    row["related"] = sum(known[unit].related for unit in units)
    row["duplicates"] = sum(known[unit].duplicate for unit in units)
    for place, (low, high) in enumerate(BINS):
        inside = values[(nearest >= low) & (nearest < high) & ~np.isnan(values)]
        row[f"units_{place}"] = len(inside)
        row[f"accuracy_{place}"] = float(inside.mean()) if len(inside) >= FEWEST else ""
    return row


def encoder_sentence(facts: EncoderFacts) -> str:
    """State which results rest on the encoder's own network; empty where it is not described."""
    text = ""
    if facts.name:
        text = f"{facts.name} is also the encoder whose features every captioner reads"
        if facts.read_layers:
            text += (
                f": its layers {', '.join(facts.read_layers)} are described and are read, so the "
                "activations of these units are among the captioner's inputs"
            )
        text += ". "
    if facts.students:
        text += (
            f"{' and '.join(facts.students)} learned to predict the encoder's features: transfer "
            "to it is transfer to the encoder's student."
        )
    return text.strip()


def overlap_sentences(rows: Sequence[Row]) -> list[str]:
    """State the share of tested exemplars that was seen, and the accuracy that goes with it."""
    texts = []
    for within, what in ((True, "Within networks"), (False, "Across networks")):
        shares = [float(r["seen"]) for r in rows if (r["experiment"] == WITHIN) == within]
        if shares:
            texts.append(
                f"{what}, {percent(min(shares))} to {percent(max(shares))} of the exemplars of the "
                "tested units were exemplars of training units too."
            )
    inside = [row for row in rows if row["experiment"] == WITHIN and row["related"]]
    if any(row["experiment"] == WITHIN for row in rows) and not inside:
        texts.append(
            "No unit of a within-network test has a relative in training: neither the same channel "
            "of a residual stream nor a unit with a third of its exemplars."
        )
    if inside:
        listed = ", ".join(
            f"{r['test']} {r['related']} ({r['duplicates']}) of {r['tested']}" for r in inside
        )
        texts.append(
            "Units of the within-network tests that have a relative in training (the same channel "
            "of a residual stream, or a unit with a third or more of their exemplars), and in "
            f"brackets a near-duplicate (two thirds or more): {listed}."
        )
    held_out = HELD_OUT if any(row["experiment"] == HELD_OUT for row in rows) else WITHIN
    rising = [
        f"{row['test']} " + " / ".join(_share(row, place) for place in range(3))
        for row in rows
        if row["experiment"] == held_out
        and sum(row[f"accuracy_{place}"] != "" for place in range(3)) > 1
    ]
    if rising:
        texts.append(
            f"Accuracy ({held_out}) of units that share less than a fifth / a fifth to two fifths "
            f"/ more of their exemplars with one training unit: {'; '.join(rising)}. Where it "
            "rises, part of it is recognizing seen pictures."
        )
    return texts


def _share(row: Row, place: int) -> str:
    value = row[f"accuracy_{place}"]
    return percent(float(value)) if value != "" else "too few"
