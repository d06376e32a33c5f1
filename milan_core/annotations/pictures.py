"""Exemplars as pictures: outside the mask darkened, alone or side by side (spec 2.5, 3.4, 7).

Crowd workers and catalogs are shown `<layer>/unit_<u>/image_<r>.png`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from milan_core.annotations.released import Unit
from milan_core.core.files import atomic_path

OPACITY = 0.75  # of the black that covers what is outside the mask
GRID_COLUMNS = 5


def masked_images(unit: Unit, opacity: float = OPACITY) -> np.ndarray:
    """uint8 [k, S, S, 3]: the exemplars, darkened outside their masks."""
    images = unit.images.transpose(0, 2, 3, 1)
    dark = (images * np.float32(1 - opacity)).astype(np.uint8)
    return np.where(unit.masks[..., None], images, dark)


def grid(unit: Unit, opacity: float = OPACITY, columns: int = GRID_COLUMNS) -> Image.Image:
    """All exemplars of a unit in one picture, row by row, best first."""
    tiles = masked_images(unit, opacity)
    count, side = tiles.shape[:2]
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, side, side, 3), np.uint8)
    padded[:count] = tiles
    table = padded.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    return Image.fromarray(table.reshape(rows * side, columns * side, 3))


def picture_path(layer: str, unit: int, rank: int) -> str:
    """The path of a picture below the folder or URL of all pictures."""
    return f"{layer}/unit_{unit}/image_{rank}.png"


def write_pictures(units: Iterable[Unit], folder: Path | str, opacity: float = OPACITY) -> int:
    """One PNG an exemplar under `folder`; those that are there are kept. Returns how many."""
    written = 0
    for unit in units:
        targets = [
            Path(folder) / picture_path(unit.layer, unit.unit, rank)
            for rank in range(len(unit.ids))
        ]
        if all(target.is_file() for target in targets):
            continue
        for target, pixels in zip(targets, masked_images(unit, opacity), strict=True):
            with atomic_path(target) as temporary:
                Image.fromarray(pixels).save(temporary, format="PNG")
            written += 1
    return written


def write_grids(units: Iterable[Unit], folder: Path | str) -> int:
    """One PNG a unit, `<layer>/unit_<u>.png`; those that are there are kept. Returns how many."""
    written = 0
    for unit in units:
        target = Path(folder) / unit.layer / f"unit_{unit.unit}.png"
        if not target.is_file():
            with atomic_path(target) as temporary:
                grid(unit).save(temporary, format="PNG")
            written += 1
    return written
