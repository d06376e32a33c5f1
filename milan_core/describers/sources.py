"""Units of files of features, of mined exemplars, and of annotation sets."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, overload

import numpy as np

from milan_core import ops
from milan_core.annotations.images import SetImages
from milan_core.annotations.released import AnnotationSet
from milan_core.captioner.describe import mined_images
from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import Need
from milan_core.describers.units import FeatureReader, UnitImages, Units
from milan_core.exemplars.options import Pool
from milan_core.exemplars.status import UnitStatus
from milan_core.exemplars.store import ExemplarSet
from milan_core.exemplars.table import ActivationTable


class FeatureUnits(Units):
    """Units of a file of features.

    Args:
        table: the features.
        path: their file, for messages.
        masking: those under the units' masks (`exact`), or one of the controls of the file.
        keys: some of its units; None: all.

    """

    offers: frozenset[Need] = frozenset({"features"})
    source: ClassVar[str] = "units of a file of features"

    def __init__(
        self,
        table: FeatureTable,
        path: Path,
        masking: str = "exact",
        keys: Sequence[UnitKey] | None = None,
    ) -> None:
        if masking not in table.arrays:
            message = f"{path}: no features under masks {masking!r}, got {sorted(table.arrays)}"
            raise UserError(message)
        self.table, self.path, self._masking = table, path, masking
        self._keys = None if keys is None else list(keys)

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit."""
        return self.table.rows if self._keys is None else self._keys

    @property
    def silent(self) -> Mapping[UnitKey, UnitStatus]:
        """As the exemplars of the features had it."""
        return self.table.silent

    def features(self, reader: FeatureReader | None = None) -> np.ndarray:
        """The stored features; refuses those that `reader` cannot read."""
        if reader is not None:
            reader.check(self.table, self.path)
        array = self.table.arrays[self._masking]
        if self._keys is None:
            return array
        row_of = {key: row for row, key in enumerate(self.table.rows)}
        return array[[row_of[key] for key in self._keys]]


class ExemplarImages(Sequence[UnitImages]):
    """Images and masks of units, read when asked for: a whole network's need not fit in memory.

    A unit without exemplars is one black image with an empty mask.
    """

    def __init__(self, exemplars: ExemplarSet, images: np.ndarray, keys: Sequence[UnitKey]) -> None:
        self._exemplars, self._images, self._keys = exemplars, images, keys

    @property
    def dataset(self) -> str:
        """Fingerprint of the data set that the images are numbered in."""
        return str(self._exemplars.meta.get("dataset", ""))

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> UnitImages: ...
    @overload
    def __getitem__(self, index: slice) -> ExemplarImages: ...
    def __getitem__(self, index: int | slice) -> UnitImages | ExemplarImages:
        if isinstance(index, slice):
            return ExemplarImages(self._exemplars, self._images, self._keys[index])
        layer, unit = self._keys[index]
        ids = self._exemplars.ids(layer)[unit]
        height, width = self._images.shape[1:3]
        if height != width:
            message = f"exemplar images are {height} x {width}; masks are made for square images"
            raise UserError(message)
        masks = self._exemplars.masks(layer, height, units=[unit])[0]
        filled = ids >= 0
        if not filled.any():
            shape = (1, height, width)
            return UnitImages(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool))
        ids = ids[filled]
        return UnitImages(np.asarray(self._images[ids]), masks[filled], ids)


class ExemplarUnits(Units):
    """Units of mined exemplars, layers in the order of mining.

    Args:
        exemplars: a whole set.
        images: uint8 (N, H, W, 3), RGB, the images that were mined; None: those that the set was
            mined from in this process.
        features: features of the same units; None: a captioner's encoder makes them.

    A set that was mined in this process with a table of the largest activations offers these too.

    """

    offers: frozenset[Need] = frozenset({"features", "exemplars"})
    source: ClassVar[str] = "mined exemplars"

    def __init__(
        self,
        exemplars: ExemplarSet,
        images: np.ndarray | None = None,
        features: FeatureUnits | None = None,
    ) -> None:
        self._exemplars, self._images = exemplars, mined_images(exemplars, images)
        self._keys = [
            (layer, unit) for layer, count in exemplars.units.items() for unit in range(count)
        ]
        if features is not None and features.keys != self._keys:
            raise UserError(
                f"{features.path} has features of {len(features.keys)} units, the exemplars are of "
                f"{len(self._keys)} units; pool the features of these exemplars"
            )
        self._features = features
        self._table = exemplars.table
        pools = self._table.facts.pools if self._table is not None else ()
        offered: dict[Pool, Need] = {"max": "maxima", "mean": "means"}
        self.offers = self.offers | {offered[pool] for pool in pools}

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit."""
        return self._keys

    @property
    def silent(self) -> Mapping[UnitKey, UnitStatus]:
        """As the exemplars say."""
        return self._exemplars.silent()

    def exemplars(self) -> ExemplarImages:
        """Images and masks of every unit."""
        return ExemplarImages(self._exemplars, self._images, self._keys)

    def maxima(self) -> Mapping[str, np.ndarray]:
        """Largest activation in each mined image, by layer: float32 [U, n]."""
        return self._pooled("max", "maxima")

    def means(self) -> Mapping[str, np.ndarray]:
        """Mean activation in each mined image, by layer: float32 [U, n]."""
        return self._pooled("mean", "means")

    def _pooled(self, pool: Pool, need: Need) -> dict[str, np.ndarray]:
        if need not in self.offers or self._table is None:
            raise self.lacking(need)
        layers, first = {}, 0
        for layer, count in self._table.facts.layers:
            rows = slice(first, first + count)
            layers[layer] = self._table.block(rows, pool, ~self._table.heldout)
            first += count
        return layers

    @property
    def table(self) -> ActivationTable:
        """The largest activation of every unit in every mined image."""
        if "maxima" not in self.offers or self._table is None:
            raise self.lacking("maxima")
        return self._table

    @property
    def images(self) -> np.ndarray:
        """All images by number: uint8 (N, H, W, 3), RGB."""
        return self._images

    @property
    def pictures(self) -> np.ndarray:
        """The mined images: uint8 (n, H, W, 3), RGB."""
        if self._table is None:
            raise self.lacking("maxima")
        if self._table.heldout.any() or len(self._table.ids) != len(self._images):
            return self._images[self._table.ids[~self._table.heldout]]
        return self._images

    def features(self, reader: FeatureReader | None = None) -> np.ndarray:
        """The given features, or those that the encoder of `reader` makes of the exemplars."""
        if self._features is not None:
            return self._features.features(reader)
        if reader is None:
            raise self.lacking("features")
        return reader.of_exemplars(self._exemplars, self._images, self._exemplars.layers)


class SetImagesOfUnits(Sequence[UnitImages]):
    """Images and masks of units of an annotation set, read when asked for."""

    def __init__(
        self, annotations: AnnotationSet, images: SetImages, keys: Sequence[UnitKey]
    ) -> None:
        self._annotations, self._images, self._keys = annotations, images, keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> UnitImages: ...
    @overload
    def __getitem__(self, index: slice) -> SetImagesOfUnits: ...
    def __getitem__(self, index: int | slice) -> UnitImages | SetImagesOfUnits:
        if isinstance(index, slice):
            return SetImagesOfUnits(self._annotations, self._images, self._keys[index])
        layer, unit = self._keys[index]
        folder = self._annotations.layers[layer]
        row = folder.row(unit)
        masks = ops.unpack_masks(folder.packed(row), folder.size)
        return UnitImages(self._images[folder.ids[row]], masks)


class SetUnits(Units):
    """Units of an annotation set, layer by layer, in the order of its files.

    Args:
        annotations: the set.
        images: its images by id.
        every: units without annotations too.
        scratch: folder for what does not fit in memory; None: memory.

    """

    offers: frozenset[Need] = frozenset({"features", "exemplars"})
    source: ClassVar[str] = "units of an annotation set"

    def __init__(
        self,
        annotations: AnnotationSet,
        images: SetImages,
        *,
        every: bool = False,
        scratch: Path | None = None,
    ) -> None:
        self.annotations, self.images = annotations, images
        self.table: FeatureTable | None = None
        """The features that were made last."""
        self._every, self._scratch = every, scratch
        wanted = annotations.units if every else list(annotations.annotations)
        self._keys = [
            (name, int(folder.units[row]))
            for name, folder in annotations.layers.items()
            for row in sorted(folder.row(unit) for layer, unit in wanted if layer == name)
        ]

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit."""
        return self._keys

    @property
    def silent(self) -> Mapping[UnitKey, UnitStatus]:
        """As the masks and activations of the set's exemplars tell it."""
        return self._silent

    @functools.cached_property
    def _silent(self) -> dict[UnitKey, UnitStatus]:
        if self.table is not None:
            return self.table.silent
        silent: dict[UnitKey, UnitStatus] = {}
        for name, folder in self.annotations.layers.items():
            units = [unit for layer, unit in self._keys if layer == name]
            silent |= folder.silent(folder.row(unit) for unit in units)
        return silent

    def exemplars(self) -> SetImagesOfUnits:
        """Images and masks of every unit."""
        return SetImagesOfUnits(self.annotations, self.images, self._keys)

    def features(self, reader: FeatureReader | None = None) -> np.ndarray:
        """The features that the encoder of `reader` makes of the exemplars."""
        if reader is None:
            raise self.lacking("features")
        self.table = reader.of_set(self.annotations, self.images, self._scratch, every=self._every)
        return self.table.arrays["exact"]
