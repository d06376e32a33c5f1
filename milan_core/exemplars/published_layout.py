"""Write exemplars in the published layout (spec 2.5): one folder a layer.

    images.npy       uint8 (U, k, 3, S, S), RGB, not masked
    masks.npy        uint8 0/1 (U, k, 1, S, S)
    ids.csv          U rows of k dataset indices, rank order, no header
    activations.csv  U rows of k pooled activations, %.5e, no header
    units.npy        int64 (U,): indices of the units
    levels.npy       float32 (U,): quantile levels (not in the published files)

Slots without an image (fewer images than k) have id -1, activation -inf, and black images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from milan_core import ops
from milan_core.core.arrays import map_new, write_npy
from milan_core.core.files import atomic_path, write_text
from milan_core.core.names import file_name
from milan_core.core.numbers import number_lines


class WholeSet(Protocol):
    """The fields of an exemplar set that are written (`milan_core.exemplars.store.ExemplarSet`)."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""

    def ids(self, layer: str) -> np.ndarray:
        """int64 [U, k]."""

    def activations(self, layer: str) -> np.ndarray:
        """float32 [U, k]."""

    def levels(self, layer: str) -> np.ndarray:
        """float32 [U]."""

    def packed_masks(self, layer: str, size: int) -> np.ndarray:
        """uint8 [U, k, size, ceil(size / 8)]."""


def export_legacy(exemplars: WholeSet, images: Any, folder: Path | str, size: int = 224) -> None:
    """Write every layer of `exemplars` under `folder`.

    Args:
        exemplars: a whole set.
        images: uint8 (N, H, W, 3), or a dataset with such `.images`, in id order; resized to `size`
            by nearest neighbor as the published files were (spec 2.3). None: no images.npy.
        folder: gets one folder a layer, called as `core.names.file_name` has it.
        size: S of images and masks.

    """
    pixels = getattr(images, "images", images)
    for name in exemplars.layers:
        target = Path(folder) / file_name(name)
        packed = exemplars.packed_masks(name, size)
        masks = ops.unpack_masks(packed, size).astype(np.uint8)
        write_npy(target / "masks.npy", masks[:, :, None])
        if pixels is not None:
            _write_images(target / "images.npy", pixels, exemplars.ids(name), size)
        ids, activations = exemplars.ids(name), exemplars.activations(name)
        write_text(target / "ids.csv", number_lines(ids.tolist(), "{:d}"))
        write_text(target / "activations.csv", number_lines(activations.tolist(), "{:.5e}"))
        write_npy(target / "units.npy", np.arange(len(ids)))
        write_npy(target / "levels.npy", exemplars.levels(name))


def _write_images(path: Path, pixels: np.ndarray, ids: np.ndarray, size: int) -> None:
    """Fill a memory-mapped array unit by unit: the whole is gigabytes for a large layer."""
    _, height, width, _ = pixels.shape
    rows = np.arange(size) * height // size
    columns = np.arange(size) * width // size
    shape = (*ids.shape, 3, size, size)
    with atomic_path(path) as temporary:
        out = map_new(temporary, shape, np.uint8)
        for unit, slots in enumerate(ids):
            for rank, image in enumerate(slots):
                if image >= 0:
                    chosen = pixels[image][rows[:, None], columns[None, :]]
                    out[unit, rank] = chosen.transpose(2, 0, 1)
        out.flush()
        del out
