"""Open a MILANNOTATIONS set: annotations joined with exemplars, by (layer, unit) (spec 3.2, 3.3).

>>> alexnet = open_set("data/alexnet/imagenet")            # doctest: +SKIP
>>> unit = alexnet.unit("conv3", 17)                       # doctest: +SKIP
>>> unit.annotations, unit.images.shape, unit.masks.shape  # doctest: +SKIP
(('dog snouts', 'noses', 'dogs'), (15, 3, 224, 224), (15, 224, 224))

Images stay uint8 and mapped, masks become bits, and pages that were looked at are given back, so
the largest published set (15 GB) opens and is walked through in well under 1 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from milan_core import ops
from milan_core.annotations import groups
from milan_core.annotations.layers import LayerFolder
from milan_core.annotations.mapped import Residency
from milan_core.annotations.records import by_unit, read_annotations
from milan_core.annotations.unpack import unpack
from milan_core.core.errors import UserError, unknown
from milan_core.core.units import UnitKey


@dataclass(frozen=True)
class Unit:
    """A unit of a set: its annotations, and the exemplars that they describe (k of S x S)."""

    layer: str
    unit: int
    annotations: tuple[str, ...]
    _folder: LayerFolder
    _row: int

    @property
    def ids(self) -> np.ndarray:
        """int64 [k]: data set index of each exemplar, best first."""
        ids: np.ndarray = self._folder.ids[self._row]
        return ids

    @property
    def images(self) -> np.ndarray:
        """uint8 [k, 3, S, S], RGB, not masked; a read-only view of the file."""
        return self._folder.images(self._row)

    @property
    def packed(self) -> np.ndarray:
        """Masks as bits, uint8 [k, S, ceil(S/8)], see `milan_core.ops`."""
        return self._folder.packed(self._row)

    @property
    def masks(self) -> np.ndarray:
        """Bool [k, S, S]: where the unit is above its level."""
        return ops.unpack_masks(self.packed, self._folder.size)


class AnnotationSet(Sequence[Unit]):
    """One opened set. `units` are the (layer, unit) in sample order, `layers` the folders."""

    def __init__(
        self,
        folder: Path,
        layers: Mapping[str, LayerFolder],
        annotations: Mapping[UnitKey, tuple[str, ...]],
        units: Sequence[UnitKey],
    ) -> None:
        self.folder = folder
        self.layers = dict(layers)
        self.annotations = dict(annotations)  # those of `units` only
        self.units = list(units)

    def __len__(self) -> int:
        return len(self.units)

    @overload
    def __getitem__(self, index: int) -> Unit: ...
    @overload
    def __getitem__(self, index: slice) -> list[Unit]: ...
    def __getitem__(self, index: int | slice) -> Unit | list[Unit]:
        """The unit at an index of the sample order, or a list of units for a slice."""
        if isinstance(index, slice):
            return [self._at(*key) for key in self.units[index]]
        return self._at(*self.units[index])

    def __iter__(self) -> Iterator[Unit]:
        return (self._at(*key) for key in self.units)

    def unit(self, layer: str, unit: int) -> Unit:
        """A unit by name, also one that the annotation count left out."""
        if layer not in self.layers:
            raise unknown("layer", layer, self.layers, where=str(self.folder))
        return self._at(layer, unit)

    def _at(self, layer: str, unit: int) -> Unit:
        folder = self.layers[layer]
        texts = self.annotations.get((layer, unit), ())
        return Unit(layer, unit, texts, folder, folder.row(unit))

    def pack(self) -> None:
        """Write the bit-packed copy of every layer's masks that has none."""
        for folder in self.layers.values():
            folder.pack()


def open_set(
    path: Path | str, annotation_count: int | None = 3, layers: Sequence[str] | None = None
) -> AnnotationSet:
    """Open one set from its folder, or from its zip, which is unpacked beside itself.

    Args:
        path: folder with annotations.csv and one folder a layer, or a zip of these.
        annotation_count: units with fewer annotations are dropped, further ones ignored, and the
            order is that of first appearance. None: all units, sorted by layer (as text) and unit,
            with the annotations they have; annotations.csv may be missing.
        layers: only these; all by default.

    """
    folder = Path(path)
    if folder.suffix.lower() == ".zip" and not folder.is_dir():
        folder = unpack(folder, folder.with_suffix(""))
    opened = _open_layers(folder, layers)
    table = folder / "annotations.csv"
    if not table.is_file() and annotation_count is not None:
        msg = f"{table} not found; annotation_count=None opens images and masks without it"
        raise UserError(msg)
    rows = read_annotations(table) if table.is_file() else []
    if layers is not None:
        rows = [row for row in rows if row.layer in opened]
    annotations = by_unit(rows)
    for layer, unit in annotations:
        if layer not in opened:
            raise unknown("layer", layer, opened, where=f"{table} (folders of {folder})")
        opened[layer].row(unit)
    if annotation_count is None:
        units = [(layer, int(u)) for layer in sorted(opened) for u in np.sort(opened[layer].units)]
        return AnnotationSet(folder, opened, annotations, units)
    kept = {
        key: texts[:annotation_count]
        for key, texts in annotations.items()
        if len(texts) >= annotation_count
    }
    return AnnotationSet(folder, opened, kept, list(kept))


def _open_layers(folder: Path, wanted: Sequence[str] | None) -> dict[str, LayerFolder]:
    if not folder.is_dir():
        msg = f"annotation set not found: {folder}"
        raise UserError(msg)
    names = sorted(path.parent.name for path in folder.glob("*/ids.csv"))
    if not names:
        msg = f"no annotation set in {folder}: expected <layer>/ids.csv and <layer>/masks.npy"
        raise UserError(msg)
    residency = Residency()
    for name in wanted or ():
        if name not in names:
            raise unknown("layer", name, names, where=str(folder))
    return {name: LayerFolder(folder / name, residency) for name in wanted or names}


def open_sets(
    key: str, root: Path | str, paths: Mapping[str, Path | str] | None = None
) -> dict[str, AnnotationSet]:
    """The sets that a key stands for, by key and in order.

    Args:
        key: a published set, a group, a key of `paths`, or `<a>/<b>` where `root` has such a
            folder or zip.
        root: the folder above all sets, for single sets and groups alike (spec 6.2-6): the set
            a/b is in `root/a/b`, or in `root/a-b.zip`, which is then unpacked there.
        paths: folders or zips of further sets, by key (spec 6.2-7).

    """
    root, paths = Path(root), dict(paths or {})
    custom = [*paths, *([key] if _is_set(root, key) else [])]
    opened = {}
    for name in groups.resolve(key, custom):
        count = groups.annotation_count() if name in groups.published_sets() else None
        place = Path(paths[name]) if name in paths else _place(root, name)
        opened[name] = open_set(place, count)
    return opened


def _is_set(root: Path, key: str) -> bool:
    inside = key not in ("", ".") and not Path(key).is_absolute() and ".." not in Path(key).parts
    return inside and (any((root / key).glob("*/ids.csv")) or _archive(root, key).is_file())


def _archive(root: Path, key: str) -> Path:
    return root / (key.replace("/", "-") + ".zip")


def _place(root: Path, key: str) -> Path:
    folder, archive = root / key, _archive(root, key)
    if not folder.is_dir() and archive.is_file():
        return unpack(archive, folder)
    if not folder.is_dir():
        msg = (
            f"set {key!r} not found: neither {folder} nor {archive}; place the published zip there"
        )
        raise UserError(msg)
    return folder
