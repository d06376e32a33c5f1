"""One small picture per unit: its exemplars side by side with their masks drawn in.

Outside the mask an exemplar is dimmed; the mask's border is a light line. A sheet of 15 exemplars
is 10 to 20 kB, so a report of several thousand units stays below 60 MB.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

TILE, GAP, COLUMNS = 64, 2, 5
DIM = 0.3
LINE = np.array([255, 255, 255], dtype=np.uint8)
QUALITY = 72


@dataclass
class Thumbnails:
    """Images of a data set, uint8 [N, H, W, 3], at `TILE` x `TILE`; each is resized once."""

    images: np.ndarray
    _small: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def get(self, index: int) -> np.ndarray:
        """uint8 [TILE, TILE, 3]; index -1 (no image) is a flat gray."""
        if index < 0:
            return np.full((TILE, TILE, 3), 128, dtype=np.uint8)
        if index not in self._small:
            image = np.asarray(self.images[index])
            if image.shape[:2] != (TILE, TILE):
                from PIL import Image

                size = (TILE, TILE)
                image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
            self._small[index] = image
        return self._small[index]


def outline(masks: np.ndarray) -> np.ndarray:
    """Mask pixels whose upper, lower, left or right neighbor is outside: bool [n, S, S] to same.

    The frame of the picture counts as inside.
    """
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)), mode="edge")
    inside = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    return masks & ~inside


def draw_masks(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images uint8 [n, S, S, 3] dimmed outside masks bool [n, S, S], with the masks' outlines."""
    dimmed = (images * np.float32(DIM)).astype(np.uint8)
    drawn = np.where(masks[..., None], images, dimmed)
    drawn[outline(masks)] = LINE
    return drawn


def sheet(tiles: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Tiles uint8 [n, S, S, 3] on a grid with transparent gaps: uint8 [rows, width, 4]."""
    count, side = tiles.shape[:2]
    rows = -(-count // columns)
    step = side + GAP
    canvas = np.zeros((rows * step - GAP, columns * step - GAP, 4), dtype=np.uint8)
    for index, tile in enumerate(tiles):
        top, left = (index // columns) * step, (index % columns) * step
        canvas[top : top + side, left : left + side, :3] = tile
        canvas[top : top + side, left : left + side, 3] = 255
    return canvas


def encode(canvas: np.ndarray) -> bytes:
    """WebP bytes of an RGBA picture; the same picture gives the same bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(buffer, format="WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()


def unit_sheet(
    thumbnails: Thumbnails, ids: np.ndarray, masks: np.ndarray, columns: int = COLUMNS
) -> bytes:
    """The sheet of one unit: image ids [k], masks bool [k, TILE, TILE]."""
    images = np.stack([thumbnails.get(int(index)) for index in ids])
    return encode(sheet(draw_masks(images, masks), columns))


def sheet_size(count: int, columns: int = COLUMNS) -> tuple[int, int]:
    """Width and height in pixels of a sheet of `count` exemplars."""
    step = TILE + GAP
    return columns * step - GAP, -(-count // columns) * step - GAP
