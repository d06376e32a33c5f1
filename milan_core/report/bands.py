"""Images of a unit below its top: one row for each band of its activations.

Bands are cut from the images of the sample, ranked by the unit's largest value in each; of every
band a few images are drawn at equal distances (`milan_core.exemplars.sample`). Their masks
are not drawn, since the maps of these images are not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.exemplars import sheets
from milan_core.exemplars.store import ExemplarSet


@dataclass(frozen=True)
class Band:
    """One row: which images it stands for, and the unit's largest values in those shown."""

    share: str
    values: str


def unit_bands(exemplars: ExemplarSet, layer: str, unit: int) -> list[Band]:
    """The rows of a unit, strongest band first; none when it was mined without bands."""
    activations = exemplars.layer(layer).band_activations
    if activations is None:
        return []
    rows = activations[unit]
    return [
        Band(
            f"{round(100 * band / len(rows))}–{round(100 * (band + 1) / len(rows))} %",
            _range(row[np.isfinite(row)]),
        )
        for band, row in enumerate(rows)
    ]


def _range(values: np.ndarray) -> str:
    """Largest to smallest, or the one value that they share."""
    if not len(values):
        return "no image"
    ends = [f"{value:.3g}".replace("-", "−") for value in (values.max(), values.min())]
    return " to ".join(dict.fromkeys(ends))


def bands_picture(thumbnails: sheets.Thumbnails, ids: np.ndarray) -> bytes:
    """WebP of the images [bands, size] with these ids, a row for each band."""
    images = np.stack([thumbnails.get(int(index)) for index in ids.reshape(-1)])
    return sheets.encode(sheets.sheet(images, ids.shape[1]))
