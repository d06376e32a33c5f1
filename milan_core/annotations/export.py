"""Write sets in the published format, as folder and as zip (spec 2.5, 3.2).

ImageNet's images may not be passed on: they are left out by the set's name and by the class names
of the data set, unless the caller owns them (spec 6.2-16). `milan_core.annotations.merge` adds them
again from a user's copy.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from milan_core import ops
from milan_core.annotations.groups import may_share_images
from milan_core.annotations.mapped import npy_pieces
from milan_core.annotations.records import Annotation, write_annotations
from milan_core.annotations.unpack import LAYER_FILES, TABLE
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import atomic_path, write_text
from milan_core.core.numbers import number_lines

IMAGES = ("auto", "include", "leave-out")
CHUNK = 32  # units whose masks are in memory at once
LEVEL = 1  # of compression: photographs hardly shrink, and the default takes minutes more
SYNSET = re.compile(r"n\d{8}")


class Exemplars(Protocol):
    """The part of `milan_core.exemplars.store.ExemplarSet` that is needed."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""

    def ids(self, layer: str) -> np.ndarray:
        """Image ids int64 (U, k), -1 where images ran out."""

    def activations(self, layer: str) -> np.ndarray:
        """float32 (U, k)."""

    def packed_masks(self, layer: str, size: int, *, units: np.ndarray) -> np.ndarray:
        """Packed masks uint8 (u, k, size, ceil(size / 8)) of some units."""


def share_images(key: str, choice: str = "auto", classes: Sequence[str] = ()) -> bool:
    """Whether images of set `key` go into an export; `auto` withholds what looks like ImageNet.

    `classes` are the data set's class names: mostly WordNet ids (n01440764) mean ImageNet,
    whatever the set is called.
    """
    if choice not in IMAGES:
        msg = f"images must be one of {', '.join(IMAGES)}, got {choice!r}"
        raise UserError(msg)
    if choice != "auto":
        return choice == "include"
    synsets = sum(bool(SYNSET.fullmatch(name)) for name in classes)
    return may_share_images(key) and 2 * synsets <= len(classes)


def export_set(
    exemplars: Exemplars,
    annotations: Iterable[Annotation],
    folder: Path | str,
    *,
    images: np.ndarray | None = None,
    size: int = 224,
    extras: bool = False,
) -> None:
    """Write annotations.csv, and per layer masks.npy, ids.csv and perhaps images.npy.

    Args:
        exemplars: a whole set with layers of U units.
        annotations: rows in the order to be written, of units of `exemplars`; descriptions do too.
        folder: is created; files in it are replaced.
        images: uint8 (N, H, W, 3) in id order, brought to `size` by nearest neighbor as the
            published ones were (spec 2.3); None leaves images.npy out, see `share_images`.
        size: S of masks and images.
        extras: also write activations.csv, which the published sets lack.

    """
    folder, rows = Path(folder), list(annotations)
    _check(rows, exemplars)
    for layer in exemplars.layers:
        ids, target = exemplars.ids(layer), folder / layer
        _write_masks(target / "masks.npy", exemplars, layer, size)
        if images is None:
            (target / "images.npy").unlink(missing_ok=True)
        else:
            _write_images(target / "images.npy", images, ids, size)
        write_text(target / "ids.csv", number_lines(ids.tolist(), "{:d}"))
        if extras:
            values = exemplars.activations(layer)
            write_text(target / "activations.csv", number_lines(values.tolist(), "{:.5e}"))
    write_annotations(folder / TABLE, rows)


def _check(rows: list[Annotation], exemplars: Exemplars) -> None:
    units = {layer: len(exemplars.ids(layer)) for layer in exemplars.layers}
    for layer in units:
        if Path(layer).name != layer:
            msg = f"layer {layer!r} cannot be the name of a folder, which the format asks for"
            raise UserError(msg)
    for row in rows:
        if row.layer not in units:
            raise unknown("layer", row.layer, units, where="the annotations to export")
        if row.unit >= (count := units[row.layer]):
            msg = f"the annotations name unit {row.unit} of {row.layer!r}, which has {count} units"
            raise UserError(msg)


def _write_masks(path: Path, exemplars: Exemplars, layer: str, size: int) -> None:
    units, k = exemplars.ids(layer).shape
    with npy_pieces(path, (units, k, 1, size, size), np.uint8) as put:
        for start in range(0, units, CHUNK):
            chosen = np.arange(start, min(start + CHUNK, units))
            packed = exemplars.packed_masks(layer, size, units=chosen)
            put(start, ops.unpack_masks(packed, size).astype(np.uint8))


def _write_images(path: Path, pixels: np.ndarray, ids: np.ndarray, size: int) -> None:
    _, height, width, _ = pixels.shape
    rows, columns = np.arange(size) * height // size, np.arange(size) * width // size
    with npy_pieces(path, (*ids.shape, 3, size, size), np.uint8) as put:
        for (unit, rank), image in np.ndenumerate(ids):
            if image >= 0:
                chosen = pixels[image][rows[:, None], columns]
                put((unit, rank), chosen.transpose(2, 0, 1))


def zip_set(folder: Path | str, archive: Path | str, *, images: bool) -> list[str]:
    """Pack a folder of the published format; names of the members, sorted.

    Only files of the format are packed: annotations.csv, masks, ids, units and activations, and
    images.npy where `images` says so. The same files give the same bytes.
    """
    folder = Path(folder)
    if not (folder / TABLE).is_file():
        msg = f"{folder / TABLE} not found; expected a folder of the published format"
        raise UserError(msg)
    files = [name for name in LAYER_FILES if images or name != "images.npy"]
    layers = {path.parent for path in folder.glob("*/ids.csv")}
    for file in sorted(layer / "masks.npy" for layer in layers or {folder / "<layer>"}):
        if not file.is_file():
            msg = f"{file} not found; it is part of the published format"
            raise UserError(msg)
    members = sorted(
        path.relative_to(folder).as_posix() for file in files for path in folder.glob(f"*/{file}")
    )
    members = [TABLE, *members]
    with (
        atomic_path(archive) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as packed,
    ):
        for name in members:  # opened by name, members get the constant date of 1980
            with (
                (folder / name).open("rb") as source,
                packed.open(name, "w", force_zip64=True) as sink,
            ):
                shutil.copyfileobj(source, sink, 1 << 20)
    return members
