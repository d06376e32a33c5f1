"""Contact sheets: the images of a packet in one picture, the same pixels on every machine."""

from __future__ import annotations

import numpy as np

from milan_core.exemplars.sheets import draw_masks

COLUMNS, GAP = 4, 6
PAPER = 255


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """uint8 (H, W, 3) to uint8 (side, side, 3) by linear interpolation between pixel centers."""
    out = image.astype(np.float64)
    for axis in (0, 1):
        size = out.shape[axis]
        place = np.clip((np.arange(side) + 0.5) * size / side - 0.5, 0, size - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, size - 1)
        weight = (place - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        out = out.take(low, axis) * (1 - weight) + out.take(high, axis) * weight
    return np.rint(out).astype(np.uint8)


def tiles(images: np.ndarray, side: int, masks: np.ndarray | None = None) -> np.ndarray:
    """Images uint8 (k, H, W, 3) as tiles (k, side, side, 3), dimmed outside masks where given."""
    shape = (len(images), side, side, 3)
    small = np.array([resized(image, side) for image in images], np.uint8).reshape(shape)
    if masks is None or not len(images):
        return small
    rows = np.arange(side) * masks.shape[1] // side
    columns = np.arange(side) * masks.shape[2] // side
    return draw_masks(small, masks[:, rows][:, :, columns])


def contact_sheet(groups: list[np.ndarray]) -> np.ndarray:
    """Groups of tiles uint8 (k, S, S, 3), each from a new row of four: uint8 (H, W, 3)."""
    groups = [group for group in groups if len(group)]
    side = groups[0].shape[1]
    step, rows = side + GAP, [-(-len(group) // COLUMNS) for group in groups]
    canvas = np.full((sum(rows) * step - GAP, COLUMNS * step - GAP, 3), PAPER, np.uint8)
    first = 0
    for group, count in zip(groups, rows, strict=True):
        for index, tile in enumerate(group):
            top, left = (first + index // COLUMNS) * step, (index % COLUMNS) * step
            canvas[top : top + side, left : left + side] = tile
        first += count
    return canvas
