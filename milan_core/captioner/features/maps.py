"""Maps of a data set's images on disk, in one folder.

    encoded.json    encoder, data set, layers, number of levels; written last
    ids.npy         int64 (n,): the encoded images, ascending
    level{i}.npy    float16 (n, C, h, w): maps of layer i, one row per entry of ids.npy

A spatial encoder leaves `encoded.json` alone: its maps depend on the masks.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.captioner.features.encoder import Encoder
from milan_core.core.arrays import map_new, read_npy, write_npy
from milan_core.core.errors import reading
from milan_core.core.files import atomic_path, read_json, text_hash, write_json
from milan_core.images.store import Dataset

MARKER, IDS = "encoded.json", "ids.npy"
MOST_IMAGES = 10**8  # of a data set


@dataclass(frozen=True)
class EncodedMaps:
    """Maps of images of a data set; row i of each map belongs to image ids[i]."""

    maps: list[np.ndarray]
    """float16 (n, C, h, w), one a level, memory-mapped; none of a spatial encoder."""
    ids: np.ndarray
    """int64 (n,), ascending."""
    images: int
    """Images N of the data set."""
    encoder: str
    """Digest of the encoder (`Encoder.hash`)."""
    dataset: str
    """Fingerprint of the data set."""
    kind: str
    """Kind of the encoder: pyramid or spatial."""

    @property
    def index(self) -> np.ndarray:
        """int64 (N,): row of each image, -1 where it was not encoded."""
        index = np.full(self.images, -1, np.int64)
        index[self.ids] = np.arange(len(self.ids))
        return index

    @classmethod
    def load(cls, folder: Path) -> EncodedMaps:
        """Open the folder that `encode_dataset` wrote."""
        with reading(folder / MARKER, "a record of encoded maps"):
            meta = read_json(folder / MARKER, "encoded maps")
            facts = (meta["images"], meta["encoder"], meta["dataset"], meta["kind"])
            if type(meta["images"]) is not int or not 0 <= meta["images"] <= MOST_IMAGES:
                raise ValueError(f"its number of images is {meta['images']}")
            if not meta["levels"]:
                return cls([], np.zeros(0, np.int64), *facts)
            maps = [read_npy(_level(folder, i), mmap=True) for i in range(meta["levels"])]
            ids = read_npy(folder / IDS)
            if any(len(array) != len(ids) for array in maps):
                raise ValueError(f"{IDS} names {len(ids)} images, the maps are of others")
            if ids.ndim != 1 or ids.dtype != np.int64 or not _rising(ids, meta["images"]):
                raise ValueError(f"{IDS} does not name images of the data set in rising order")
        return cls(maps, ids, *facts)


def encode_dataset(
    encoder: Encoder, dataset: Dataset, folder: Path, ids: np.ndarray | None = None
) -> EncodedMaps:
    """Write the maps of a data set's images to a folder, every image once.

    Args:
        encoder: whose maps.
        dataset: the images.
        folder: made if missing.
        ids: int, images wanted, repeats and -1 ignored; default: all.

    """
    rows = np.arange(len(dataset.images)) if ids is None else np.unique(np.asarray(ids))
    rows = rows[rows >= 0].astype(np.int64)
    if encoder.kind == "pyramid":
        _write_levels(encoder, dataset.images, rows, folder)
        write_npy(folder / IDS, rows)
    meta = {
        "dataset": dataset.fingerprint,
        "encoder": encoder.hash,
        "ids": text_hash(rows.tobytes().hex()),
        "images": len(dataset.images),
        "kind": encoder.kind,
        "layers": encoder.layers,
        "levels": len(encoder.layers) if encoder.kind == "pyramid" else 0,
    }
    write_json(folder / MARKER, meta)
    return EncodedMaps.load(folder)


def _write_levels(encoder: Encoder, images: np.ndarray, rows: np.ndarray, folder: Path) -> None:
    with contextlib.ExitStack() as files:

        def make(level: int, shape: tuple[int, ...]) -> np.ndarray:
            path = files.enter_context(atomic_path(_level(folder, level)))
            return map_new(path, shape, encoder.dtype)

        for array in encoder.fill_maps(images, rows, make):
            array.flush()  # type: ignore[attr-defined]


def _rising(ids: np.ndarray, images: int) -> bool:
    """Whether ids rise within 0 to images - 1."""
    ends = len(ids) == 0 or (ids[0] >= 0 and ids[-1] < images)
    return bool(ends and (ids[1:] > ids[:-1]).all())


def _level(folder: Path, level: int) -> Path:
    return folder / f"level{level}.npy"
