"""Images of a unit's whole range above its level, and vectors of what the unit sees in them."""

from __future__ import annotations

import numpy as np

MOST = 300


def sample_above(values: np.ndarray, level: float, most: int = MOST) -> np.ndarray:
    """Images above the level, evenly over the quantiles from the level to the maximum (S6).

    Args:
        values: float [n], the unit's value on each image.
        level: above which an image counts.
        most: images at most.

    Returns:
        int64 [m], positions in rising order; the weakest and the strongest are among them.

    """
    above = np.flatnonzero(values > level)
    ordered = above[np.lexsort((above, values[above]))]
    if len(ordered) > most:
        ordered = ordered[np.rint(np.linspace(0, len(ordered) - 1, most)).astype(np.int64)]
    return np.sort(ordered)


def masked_vectors(cells: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Vectors of the masked part of images, from a judge's vectors of their cells.

    Stands for the judge's vector of the masked crop: one look at the image serves every unit.

    Args:
        cells: float [m, g * g, d], unit vectors of the cells of each image, row by row.
        masks: bool or float [m, h, w], the unit's mask on each image; h and w multiples of g.

    Returns:
        float32 [m, d], unit vectors; of the whole image where the mask is empty.

    """
    m, count, _ = cells.shape
    grid = round(count**0.5)
    height, width = masks.shape[1:]
    blocks = np.asarray(masks, np.float32).reshape(m, grid, height // grid, grid, width // grid)
    weights = blocks.mean((2, 4)).reshape(m, count)
    weights[weights.sum(1) == 0] = 1
    return unit_rows(np.einsum("mc,mcd->md", weights, np.asarray(cells, np.float32)))


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; rows of zeros stay."""
    rows = np.asarray(rows, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
