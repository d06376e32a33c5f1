"""From the files of a split to a trained captioner: which units teach, and their three captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.annotations.records import by_unit, read_annotations
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.core.errors import UserError
from milan_core.core.files import give_back, write_csv
from milan_core.core.seeding import generator

Unit = tuple[str, str, int]  # network, layer, unit
UNITS_HEADER = ("model", "layer", "unit", "side")
_BLOCK = 256  # units whose features are copied at once


@dataclass(frozen=True)
class AnnotatedUnits:
    """Annotated units of the networks of a split.

    Attributes:
        units: (network, layer, unit) per row.
        parts: per network its features as they are on disk, [U, k, F], and the rows of its
            annotated units; below each other they are the rows of `units`.
        captions: the annotations of each unit, in file order.
        encoder: hash of the encoder that made the features.

    """

    units: list[Unit]
    parts: list[tuple[np.ndarray, np.ndarray]]
    captions: list[list[str]]
    encoder: str

    def features(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Features of some rows of `units` (default: all), rising: float16 [n, k, F].

        They are copied once, from mapped files, so that no more than they is in memory.
        """
        rows = np.arange(len(self.units)) if rows is None else rows
        first = self.parts[0][0]
        found = np.empty((len(rows), *first.shape[1:]), first.dtype)
        begin = done = 0
        for array, known in self.parts:
            wanted = known[rows[(rows >= begin) & (rows < begin + len(known))] - begin]
            for start in range(0, len(wanted), _BLOCK):
                block = array[wanted[start : start + _BLOCK]]
                found[done : done + len(block)] = block
                done += len(block)
                give_back(array)
            begin += len(known)
        return found


def load_units(names: list[str], features: list[Path], annotations: list[Path]) -> AnnotatedUnits:
    """Read and join the files of several networks; units without annotations are left out."""
    if not len(names) == len(features) == len(annotations):
        message = (
            f"the split names {len(names)} networks, got {len(features)} feature files and "
            f"{len(annotations)} annotation files; give one of each per network"
        )
        raise UserError(message)
    tables = [load_features(path) for path in features]
    _check_alike(names, tables)
    units: list[Unit] = []
    parts, captions = [], []
    for name, table, path, place in zip(names, tables, annotations, features, strict=True):
        known = by_unit(read_annotations(path))
        rows = [index for index, key in enumerate(table.rows) if known.get(key)]
        if not rows:
            message = f"{path} has no annotation for any unit of {place}"
            raise UserError(message)
        parts.append((table.arrays["exact"], np.array(rows)))
        units += [(name, *table.rows[index]) for index in rows]
        captions += [list(known[table.rows[index]]) for index in rows]
    return AnnotatedUnits(units, parts, captions, tables[0].meta["encoder"])


def _check_alike(names: Sequence[str], tables: Sequence[FeatureTable]) -> None:
    """Refuse features that one captioner cannot read together."""
    encoders = {name: table.meta["encoder"] for name, table in zip(names, tables, strict=True)}
    if len(set(encoders.values())) != 1:
        message = f"features of different encoders cannot be mixed: {encoders}; run features again"
        raise UserError(message)
    shapes = {
        name: table.arrays["exact"].shape[1:] for name, table in zip(names, tables, strict=True)
    }
    if len(set(shapes.values())) != 1:
        message = (
            f"features of different sizes (exemplars, features) cannot be mixed: {shapes}; mine "
            "and pool all networks of a split with the same k and options"
        )
        raise UserError(message)


def tested_rows(units: int, name: str, share: float, seed: int) -> np.ndarray:
    """Bool [units]: those kept for the test, the same for every trial of a split (spec 5.1)."""
    chosen = np.zeros(units, bool)
    count = round(share * units)
    chosen[generator(seed, "test units", name).permutation(units)[:count]] = True
    return chosen


def train_on_split(
    split: dict[str, Any],
    features: list[Path],
    annotations: list[Path],
    settings: dict[str, Any],
    *,
    seed: int,
    device: str,
    out: Path,
    encoder: dict[str, Any],
    code: str = "",
) -> dict[str, Any]:
    """Train captioner and language model on the training side of a split and save both.

    `split` has `name`, `train` (networks, in the order of the files), `test_share` and `seed`.
    `encoder` says how to make features for a new network and is kept in the captioner's folder.

    Returns:
        Entries for the provenance record.

    """
    from milan_core.captioner.training.settings import CaptionerSettings
    from milan_core.captioner.training.train import train_captioner

    found = load_units(split["train"], features, annotations)
    held = tested_rows(len(found.units), split["name"], split["test_share"], split.get("seed", 0))
    rows = np.flatnonzero(~held)
    sides = np.where(held, "test", "train")
    table = [(*unit, side) for unit, side in zip(found.units, sides, strict=True)]
    write_csv(out / "units.csv", UNITS_HEADER, table)
    train_captioner(
        found.features(rows),
        [found.captions[row] for row in rows],
        CaptionerSettings.from_dict(settings),
        seed,
        out,
        device=device,
        code=code,
        meta={"split": split, "encoder_hash": found.encoder, "encoder": encoder},
    )
    return {"training_units": len(rows), "test_units": int(held.sum())}
