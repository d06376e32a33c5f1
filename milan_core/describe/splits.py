"""From the files of a split to a trained captioner: which units teach, and their three captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.errors import UserError
from milan_core.features.store import load_features
from milan_core.runtime.files import read_csv, write_csv
from milan_core.runtime.seeding import generator

Unit = tuple[str, str, int]  # network, layer, unit
UNITS_HEADER = ("model", "layer", "unit", "side")


@dataclass(frozen=True)
class AnnotatedUnits:
    """Annotated units of the networks of a split.

    Attributes:
        units: (network, layer, unit) per row.
        features: float16 [N, k, F].
        captions: the annotations of each unit, in file order.
        encoder: hash of the encoder that made the features.

    """

    units: list[Unit]
    features: np.ndarray
    captions: list[list[str]]
    encoder: str


def read_annotations(path: Path) -> dict[tuple[str, int], list[str]]:
    """The annotations of each (layer, unit), in file order."""
    found: dict[tuple[str, int], list[str]] = {}
    for row in read_csv(path, ["layer", "unit", "summary"]):
        found.setdefault((row["layer"], int(row["unit"])), []).append(row["summary"])
    return found


def load_units(names: list[str], features: list[Path], annotations: list[Path]) -> AnnotatedUnits:
    """Read and join the files of several networks; units without annotations are left out."""
    if not len(names) == len(features) == len(annotations):
        message = (
            f"the split names {len(names)} networks, got {len(features)} feature files and "
            f"{len(annotations)} annotation files; give one of each per network"
        )
        raise UserError(message)
    units: list[Unit] = []
    arrays, captions, hashes = [], [], {}
    for name, feature_path, annotation_path in zip(names, features, annotations, strict=True):
        table = load_features(feature_path)
        known = read_annotations(annotation_path)
        rows = [index for index, key in enumerate(table.rows) if known.get(key)]
        if not rows:
            message = f"{annotation_path} has no annotation for any unit of {feature_path}"
            raise UserError(message)
        arrays.append(table.arrays["exact"][rows])
        units += [(name, *table.rows[index]) for index in rows]
        captions += [known[table.rows[index]] for index in rows]
        hashes[name] = table.meta["encoder"]
    if len(set(hashes.values())) != 1:
        message = f"features of different encoders cannot be mixed: {hashes}; run features again"
        raise UserError(message)
    return AnnotatedUnits(units, np.concatenate(arrays), captions, next(iter(hashes.values())))


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
    from milan_core.describe.settings import CaptionerSettings
    from milan_core.describe.train import train_captioner

    found = load_units(split["train"], features, annotations)
    held = tested_rows(len(found.units), split["name"], split["test_share"], split.get("seed", 0))
    rows = np.flatnonzero(~held)
    sides = np.where(held, "test", "train")
    table = [(*unit, side) for unit, side in zip(found.units, sides, strict=True)]
    write_csv(out / "units.csv", UNITS_HEADER, table)
    train_captioner(
        found.features[rows],
        [found.captions[row] for row in rows],
        CaptionerSettings.from_dict(settings),
        seed,
        out,
        device=device,
        code=code,
        meta={"split": split, "encoder_hash": found.encoder, "encoder": encoder},
    )
    return {"training_units": len(rows), "test_units": int(held.sum())}
