"""One layer's folder of the published format: images, masks, ids, units (spec 2.5)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from milan_core import ops
from milan_core.annotations.mapped import MappedArray, Residency, npy_pieces
from milan_core.annotations.packing import MASKS, PACKED, RECORD, is_valid, write_packing
from milan_core.core.arrays import read_npy
from milan_core.core.errors import UserError, reading
from milan_core.core.number_tables import read_number_table
from milan_core.core.units import UnitKey
from milan_core.exemplars.status import ACTIVE, UnitStatus, shown_status


class LayerFolder:
    """The exemplars of U units of one layer, k a unit, S x S pixels; nothing large is read.

    Attributes:
        name: the layer, as the folder is called.
        ids: int64 [U, k], data set index of each exemplar, best first.
        units: int64 [U], number of the unit in each row; 0..U-1 without units.npy.
        size: S.
        activations: float32 [U, k] from activations.csv, None where that is missing.

    """

    def __init__(self, folder: Path, residency: Residency) -> None:
        self.name, self.folder = folder.name, folder
        self.ids = read_numbers(folder / "ids.csv", np.int64)
        self.units = self._read_units()
        self._rows = {unit: row for row, unit in enumerate(self.units.tolist())}
        table = folder / "activations.csv"
        self.activations = read_numbers(table, np.float32) if table.is_file() else None
        if self.activations is not None and self.activations.shape != self.ids.shape:
            msg = f"{table}: expected {self.ids.shape} as ids.csv, got {self.activations.shape}"
            raise UserError(msg)
        self._residency = residency
        self._masks, self._packed = self._open_masks()
        self.size = self._side()
        self._images = self._open_images()

    def _read_units(self) -> np.ndarray:
        path = self.folder / "units.npy"
        if not path.is_file():
            return np.arange(len(self.ids))
        units = read_npy(path)
        fits = units.shape == self.ids.shape[:1] and units.dtype.kind in "iu"
        if not fits or (units < 0).any() or len(np.unique(units)) != len(units):
            msg = f"{path}: expected {len(self.ids)} different unit numbers, one a row of ids.csv"
            raise UserError(msg)
        return units.astype(np.int64)

    def _open(self, name: str, form: tuple[int | None, ...]) -> MappedArray:
        array = MappedArray(self.folder / name, self._residency)
        wanted = (*self.ids.shape, *form)
        fits = len(wanted) == len(array.shape) and all(
            want in (None, got) for want, got in zip(wanted, array.shape, strict=True)
        )
        if not fits or array.dtype != np.uint8:
            shown = ", ".join("S" if part is None else str(part) for part in wanted)
            msg = f"{array.path}: expected uint8 ({shown}), got {array.dtype} {array.shape}"
            raise UserError(msg)
        return array

    def _open_masks(self) -> tuple[MappedArray | None, MappedArray | None]:
        """(masks.npy, its packed copy); masks.npy may be deleted once there is a copy."""
        source, copy = self.folder / MASKS, self.folder / PACKED
        valid = is_valid(self.folder)
        if not source.is_file() and copy.is_file():
            if not valid:
                msg = (
                    f"{copy} is damaged, or {RECORD} does not belong to it, and {MASKS} is not "
                    "there; get the set again"
                )
                raise UserError(msg)
            return None, self._open(PACKED, (None, None))
        masks = self._open(MASKS, (1, None, None))
        return masks, self._open(PACKED, (None, None)) if valid else None

    def _side(self) -> int:
        array = self._masks or self._packed
        assert array is not None
        height, width = array.shape[-2:]
        square = width == (height if array is self._masks else -(-height // 8))
        if not square:
            msg = f"{array.path}: masks must be square, got {array.shape}"
            raise UserError(msg)
        return height

    def _open_images(self) -> MappedArray | None:
        if not (self.folder / "images.npy").is_file():
            return None
        return self._open("images.npy", (3, self.size, self.size))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_images(self) -> bool:
        """Whether images.npy is there."""
        return self._images is not None

    @property
    def is_packed(self) -> bool:
        """Whether the masks come from the bit-packed copy."""
        return self._packed is not None

    def row(self, unit: int) -> int:
        """The row of a unit, which units.npy decides (spec 6.2-19)."""
        if unit not in self._rows:
            low, high = int(self.units.min()), int(self.units.max())
            msg = (
                f"layer {self.name!r} has no unit {unit}; {self.folder} holds {len(self)} units "
                f"between {low} and {high}"
            )
            raise UserError(msg)
        return self._rows[unit]

    def packed(self, row: int) -> np.ndarray:
        """Masks of a row, eight pixels a byte (`milan_core.ops`): uint8 [k, S, ceil(S/8)]."""
        if self._packed is not None:
            return self._packed.row(row)
        assert self._masks is not None
        return _pack(self._masks.row(row))

    def silent(self, rows: Iterable[int]) -> dict[UnitKey, UnitStatus]:
        """The status of the units in some rows that show nothing, as their exemplars tell it."""
        chosen = np.fromiter(rows, np.int64)
        masked = np.array([self.packed(row).any() for row in chosen.tolist()], bool)
        activations = None if self.activations is None else self.activations[chosen]
        status = shown_status(masked, activations)
        return {
            (self.name, int(self.units[chosen[place]])): status[place]
            for place in np.flatnonzero(status != ACTIVE)
        }

    def images(self, row: int) -> np.ndarray:
        """Images of a row, RGB, not masked: uint8 [k, 3, S, S], a view of the file."""
        if self._images is None:
            msg = (
                f"{self.folder} has no images.npy; `milan annotations merge` makes it from the "
                "images that the ids count"
            )
            raise UserError(msg)
        return self._images.row(row)

    def pack(self) -> None:
        """Write the bit-packed copy, an eighth of masks.npy, if there is no valid one."""
        if self._packed is not None or self._masks is None:
            return
        shape = (*self.ids.shape, self.size, -(-self.size // 8))
        with npy_pieces(self.folder / PACKED, shape, np.uint8) as put:
            for row in range(len(self)):
                bits = _pack(self._masks.row(row))
                if bits.any():  # dead units take no disk space
                    put(row, bits)
        write_packing(self.folder)
        self._packed = self._open(PACKED, shape[2:])


def _pack(masks: np.ndarray) -> np.ndarray:
    """uint8 [k, S, ceil(S/8)] of masks [k, 1, S, S]."""
    return ops.pack_masks(masks[:, 0] != 0)


def read_numbers(path: Path, kind: type) -> np.ndarray:
    """A CSV table of numbers without a header: (rows, columns)."""
    if not path.is_file():
        msg = f"{path} not found; a layer's folder holds ids.csv and masks.npy"
        raise UserError(msg)
    with reading(path, "a table of numbers", "get it again"):
        return read_number_table(path, kind)
