"""The distinct images of a data set, each stored once, on WebP sheets of 4 x 4.

Images stand in the order of their first use, so what a page shows together lies together. A
place is a number: sheet `place // 16`, tile `place % 16`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from milan_core.core.files import write_bytes
from milan_core.core.progress import tracked
from milan_core.images.store import Dataset

ACROSS = 4
PER_SHEET = ACROSS * ACROSS
LARGEST = 112  # pixels of the longer side of a tile
QUALITY, METHOD = 80, 4


@dataclass
class Pictures:
    """The images of one data set that an atlas shows; each gets a place when it is first asked for.

    Args:
        dataset: the images.
        folder: name of the folder of its sheets, below `pictures`.

    """

    dataset: Dataset
    folder: str
    ids: list[int] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a tile."""
        height, width = self.dataset.images.shape[1:3]
        scale = min(1.0, LARGEST / max(height, width))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def place(self, image: int) -> int:
        """The place of an image by its number in the data set; -1 for none."""
        if image < 0:
            return -1
        if image not in self._places:
            self._places[image] = len(self.ids)
            self.ids.append(image)
        return self._places[image]

    def places(self, images: np.ndarray) -> list[int]:
        """The places of some images."""
        return [self.place(image) for image in images.reshape(-1).tolist()]

    def write(self, out: Path) -> int:
        """Write all sheets below `out / "pictures"`; returns their bytes."""
        written = 0
        for start in tracked(range(0, len(self.ids), PER_SHEET), "pictures", "sheet"):
            data = self._sheet(self.ids[start : start + PER_SHEET])
            write_bytes(out / "pictures" / self.folder / f"{start // PER_SHEET}.webp", data)
            written += len(data)
        return written

    def _sheet(self, images: Iterable[int]) -> bytes:
        from PIL import Image

        width, height = self.size
        sheet = Image.new("RGB", (ACROSS * width, ACROSS * height), (128, 128, 128))
        for place, index in enumerate(images):
            picture = Image.fromarray(np.asarray(self.dataset.images[index]))
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(picture, (place % ACROSS * width, place // ACROSS * height))
        buffer = io.BytesIO()
        sheet.save(buffer, format="WEBP", quality=QUALITY, method=METHOD)
        return buffer.getvalue()
