"""Maps of a data set's images on disk: float16, memory-mapped."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.files import read_json, read_npy

MARKER = "encoded.json"


@dataclass
class EncodedMaps:
    """Maps of some images of a dataset: row i of each (n, C, h, w) belongs to image ids[i]."""

    maps: list[np.ndarray]  # float16, one a level
    ids: np.ndarray  # int64 (n,), rising
    images: int  # N of the dataset

    @property
    def index(self) -> np.ndarray:
        """int64 (N,): row of each image, -1 where it was not encoded."""
        index = np.full(self.images, -1, np.int64)
        index[self.ids] = np.arange(len(self.ids))
        return index

    @classmethod
    def load(cls, folder: Path | str) -> EncodedMaps:
        """Open the folder of `Encoder.encode_dataset`; maps are memory-mapped.

        An encoder of kind spatial leaves no maps: they depend on the mask.
        """
        folder = Path(folder)
        meta = read_json(folder / MARKER, "encoded maps")
        if not meta["levels"]:
            return cls([], np.zeros(0, np.int64), meta["images"])
        content = folder / meta["key"]
        maps = [read_npy(content / f"level{i}.npy", mmap=True) for i in range(meta["levels"])]
        return cls(maps, read_npy(content / "ids.npy"), meta["images"])


def remove_stale(folder: Path, code: str) -> None:
    """Delete maps below `folder` that other sources made: nothing would ever read them again."""
    for marker in folder.glob(f"*/{MARKER}"):
        if read_json(marker, "encoded maps").get("code") != code:
            shutil.rmtree(marker.parent)
