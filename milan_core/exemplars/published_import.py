"""Read exemplars in the published layout (`milan_core.exemplars.published_layout`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from milan_core import ops
from milan_core.core.arrays import read_npy
from milan_core.core.errors import UserError, reading
from milan_core.core.number_tables import read_number_table
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet


def import_legacy(folder: Path | str, layers: list[str] | None = None) -> ExemplarSet:
    """Read folders of the published layout; masks keep their stored size and level.

    Published folders have no levels.npy: their levels are NaN. Rows are put in the order of
    units.npy, where there is one.

    Raises:
        UserError: for a folder without layers, tables that do not fit, and a layer of which
            units.npy names some units only.

    """
    folder = Path(folder)
    names = layers or sorted(p.parent.name for p in folder.glob("*/ids.csv"))
    if not names:
        msg = f"no exemplars in {folder}: expected <layer>/ids.csv, activations.csv and masks.npy"
        raise UserError(msg)
    read = {name: _import_layer(folder / name) for name in names}
    ks = {layer.ids.shape[1] for layer in read.values()}
    if len(ks) > 1:
        msg = f"the layers in {folder} have different numbers of exemplars: {sorted(ks)}"
        raise UserError(msg)
    return ExemplarSet(read, {"imported": str(folder), "k": ks.pop()})


def _import_layer(folder: Path) -> LayerExemplars:
    ids = _table(folder / "ids.csv", np.int64)
    activations = _table(folder / "activations.csv", np.float32)
    masks = read_npy(folder / "masks.npy", mmap=True)
    if ids.shape != activations.shape or masks.shape[:2] != ids.shape or masks.ndim != 5:
        msg = (
            f"{folder}: ids.csv {ids.shape}, activations.csv {activations.shape} and masks.npy "
            f"{masks.shape} do not fit; expected (U, k), (U, k) and (U, k, 1, S, S)"
        )
        raise UserError(msg)
    with reading(folder, "a layer of the published layout"):
        order = _order(folder / "units.npy", len(ids))
        packed = np.stack([ops.pack_masks(np.asarray(masks[row, :, 0]) > 0) for row in order])
        stored = folder / "levels.npy"
        levels = read_npy(stored) if stored.is_file() else np.full(len(ids), np.nan, np.float32)
        if levels.shape != (len(ids),) or levels.dtype != np.float32:
            raise ValueError(f"levels.npy is {levels.dtype} {levels.shape}, ids.csv {ids.shape}")
        ids, activations, levels = ids[order], activations[order], levels[order]
        resolved = np.isfinite(levels)
    return LayerExemplars(ids, activations, levels, resolved, packed=packed, size=masks.shape[-1])


def _order(path: Path, rows: int) -> np.ndarray:
    """The row of each unit, int64 [rows]: units.npy names the unit of each row."""
    if not path.is_file():
        return np.arange(rows)
    units = read_npy(path)
    if units.shape != (rows,) or units.dtype.kind not in "iu":
        raise ValueError(f"units.npy is {units.dtype} {units.shape}, ids.csv has {rows} rows")
    order = np.argsort(units, kind="stable")
    if not np.array_equal(units[order], np.arange(rows)):
        raise UserError(
            f"{path} names {rows} units between {units.min()} and {units.max()}, not all from 0 "
            "on, and their rows would be taken for units 0, 1, ...; export whole layers"
        )
    return order


def _table(path: Path, kind: type) -> np.ndarray:
    if not path.is_file():
        msg = f"{path} not found; a layer's folder holds ids.csv, activations.csv and masks.npy"
        raise UserError(msg)
    with reading(path, "a table of numbers"):
        return read_number_table(path, kind)
