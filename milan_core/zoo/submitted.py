"""Sources of descriptions of the zoo's units: tables of others, or describers of the tree."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.referee.submitted import read_submitted
from milan_core.zoo.rank import Field, Ranked, label_describers, over_runs, rank_one
from milan_core.zoo.units import planted_units

FIRST_SEED = 500  # of the scenes that describers see; no scene that scores has such a seed


def read_tables(paths: Sequence[Path], column: str, field: Field) -> tuple[list[Ranked], list[str]]:
    """Tables of descriptions ranked, and sentences on their rows.

    Raises:
        UserError: for a table that cannot be read, or has no unit of the zoo.

    """
    known = {unit.key for unit in planted_units()}
    ranked, notes = [], []
    for path in paths:
        given = read_submitted(path, column)
        strange = [key for key in given.explanations if key not in known]
        if len(strange) == len(given.explanations):
            layer, unit = strange[0]
            raise UserError(
                f"{path}: none of its {len(strange)} units is in the zoo, such as layer {layer!r} "
                f"unit {unit}; layers are colors, concepts and logic"
            )
        notes += [f"{path.name}: {note}" for note in given.notes()]
        if strange:
            layer, unit = strange[0]
            notes.append(
                f"{path.name}: {len(strange)} units are not in the zoo and do not count, such as "
                f"layer {layer!r} unit {unit}."
            )
        ranked.append(rank_one(str(path), given.explanations, field))
    return ranked, notes


def run_describers(images: int, seeds: int, field: Field) -> tuple[list[Ranked], list[str]]:
    """Describers of the tree that label from masks of concepts, over sets of scenes."""
    runs: dict[str, list[Ranked]] = {}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            for name, said in label_describers(Path(folder), images, FIRST_SEED + seed).items():
                runs.setdefault(name, []).append(rank_one(name, said, field))
    notes = [f"Describers saw {images} scenes, {seeds} times; every unit counts with its mean."]
    return [over_runs(rows, field) for rows in runs.values()], notes
