"""Contact sheets out of the pictures of an atlas: the strongest images of a unit on a grid."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.atlas.chunks import read_chunk
from milan_core.core.names import below
from milan_core.exemplars.sheets import encode, sheet

COLUMNS = 5
OPEN = 256  # pictures of the atlas in memory at once


class Sheets:
    """Pictures of units.

    Args:
        atlas: the folder.
        run: its chunk `run`.

    """

    def __init__(self, atlas: Path, run: Mapping[str, Any]) -> None:
        self._atlas = atlas
        self._facts = {one["folder"]: one for one in run["pictures"]}
        self._folder = {net["name"]: net["pictures"] for net in run["networks"]}
        self._places: dict[str, dict[int, int]] = {}
        self._open: dict[tuple[str, int], Any] = {}

    def of(self, network: str, images: Sequence[int], columns: int = COLUMNS) -> bytes:
        """WebP of images of a network's data set, given by their numbers; empty for none."""
        folder = self._folder[network]
        tiles = [np.asarray(self._tile(folder, image)) for image in images]
        return encode(sheet(np.stack(tiles), columns)) if tiles else b""

    def _tile(self, folder: str, image: int) -> Any:
        from milan_core.images.files import open_picture

        if folder not in self._places:
            ids = read_chunk(self._atlas, f"images/{folder}/ids")
            self._places[folder] = {number: place for place, number in enumerate(ids)}
        facts = self._facts[folder]
        number, at = divmod(self._places[folder][image], facts["across"] ** 2)
        key = (folder, number)
        if key not in self._open:
            if len(self._open) >= OPEN:
                self._open.clear()
            name = f"{folder}/{number}.webp"
            place = below(self._atlas / "pictures", name, "pictures of an atlas")
            self._open[key] = open_picture(io.BytesIO(place.read_bytes())).convert("RGB")
        width, height = facts["width"], facts["height"]
        left, top = at % facts["across"] * width, at // facts["across"] * height
        tile = self._open[key].crop((left, top, left + width, top + height))
        side = max(width, height)
        return tile.resize((side, side)) if width != height else tile
