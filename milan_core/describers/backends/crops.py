"""Crops of exemplars for an image-to-text model: the masked region, the rest darkened."""

from __future__ import annotations

import numpy as np

from milan_core.core.errors import UserError
from milan_core.describers.units import UnitImages

SMALLEST = 32
"""Side of the smallest crop in pixels; models enlarge less than this to a blur."""


def masked_crop(image: np.ndarray, mask: np.ndarray, margin: float, outside: float) -> np.ndarray:
    """A square around the mask's box: uint8 (S, S, 3).

    Square, because the processors of image-to-text models squeeze whatever they get to a square.
    The square is moved into the image where it fits; what still lies beyond the image is black.

    Args:
        image: uint8 (H, W, 3).
        mask: bool (H, W). Without pixels the crop is black: there is no evidence to show.
        margin: context on every side, as a share of the box's longer side.
        outside: brightness of pixels outside the mask; 0 is black, 1 shows the image as it is.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((SMALLEST, SMALLEST, 3), np.uint8)
    box = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = max(SMALLEST, int(np.ceil(box * (1 + 2 * margin))))
    top = _place(rows[0] + rows[-1] + 1, side, image.shape[0])
    left = _place(columns[0] + columns[-1] + 1, side, image.shape[1])
    y, x = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
    shown, kept = image[y, x], mask[y, x, None]
    dimmed = np.rint(shown * np.float32(outside)).astype(np.uint8)
    crop = np.zeros((side, side, 3), np.uint8)
    above, before = max(-top, 0), max(-left, 0)
    height, width = shown.shape[:2]
    crop[above : above + height, before : before + width] = np.where(kept, shown, dimmed)
    return crop


def _place(twice_centre: int, side: int, size: int) -> int:
    """First pixel of a stretch of `side` around the center, inside [0, size) where it fits."""
    first = int(twice_centre - side) // 2
    return min(max(first, 0), size - side) if side <= size else (size - side) // 2


def unit_crops(unit: UnitImages, margin: float, outside: float) -> list[np.ndarray]:
    """The crops of the exemplars with a mask, or one black crop for a unit without any."""
    crops = [
        masked_crop(image, mask, margin, outside)
        for image, mask in zip(unit.images, unit.masks, strict=True)
        if mask.any()
    ]
    blank = np.zeros((SMALLEST, SMALLEST, 3), np.uint8)
    return crops or [blank]


def check_exemplars(unit: UnitImages, index: int) -> None:
    """Refuse images and masks that are not what they must be."""
    images, masks = np.asarray(unit.images), np.asarray(unit.masks)
    right = images.ndim == 4 and images.dtype == np.uint8 and images.shape[3] == 3
    if not (right and len(images) and masks.dtype == bool and masks.shape == images.shape[:3]):
        message = (
            f"unit {index} has images {images.dtype} {images.shape} and masks {masks.dtype} "
            f"{masks.shape}; give uint8 (k, H, W, 3) and bool (k, H, W), k at least 1"
        )
        raise UserError(message)
