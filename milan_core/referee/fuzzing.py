"""Fuzzing for pictures: is the marked part the one that fires? (S4)

A judge sees an image that is dim outside an outline: that of the unit's own mask, or the same
outline on an image on which the unit does not fire. A text that names what is inside tells the two
apart; chance 0.5. Printed for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.images.store import Dataset
from milan_core.referee.detection import Detection, detect
from milan_core.referee.judge import Judge, JudgedImages

DIM = 0.3  # what is left of a pixel outside the outline


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pixels uint8 (n, H, W, 3) in the place of a data set, for judges that look at pixels."""

    images: np.ndarray
    world: bool = False

    @property
    def labels(self) -> np.ndarray:
        """No picture has a label."""
        return np.full(len(self.images), -1)

    def require_world(self, what: str) -> Any:
        """Pictures that were dimmed have no ground truth."""
        raise UserError(f"{what} needs scenes as they are; choose a judge that looks at pixels")


def dimmed(pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images uint8 (n, H, W, 3), dim outside masks bool (n, H, W)."""
    dark = (pixels * DIM + 0.5).astype(np.uint8)
    return np.where(masks[..., None], pixels, dark)


def fuzz(
    judge: Judge,
    dataset: Dataset,
    ids: np.ndarray,
    masks: np.ndarray,
    quiet: np.ndarray,
    texts: Sequence[str],
    seed: int,
) -> list[Detection]:
    """Fuzzing of some texts of one unit: one result a text.

    Args:
        judge: looks at pixels; the oracle cannot.
        dataset: the images.
        ids: int64 [k], images on which the unit fires; -1: none.
        masks: bool [k, H, W], where it fires, at the size of the images.
        quiet: int64 [q], images on which it does not fire, at least one.
        texts: to judge.
        seed: of the choice among the quiet images.

    Raises:
        UserError: without images of both kinds, or for a judge that needs ground truth.

    """
    seen = ids >= 0
    ids, masks = ids[seen], masks[seen]
    if not len(ids) or not len(quiet):
        raise UserError("fuzzing needs images on which the unit fires, and others")
    others = generator(seed, "fuzzing", *ids.tolist()).choice(quiet, len(ids))
    pixels = np.asarray(dataset.images[np.concatenate([ids, others])])
    pictures: Any = Pictures(dimmed(pixels, np.concatenate([masks, masks])))
    columns = judge.columns(JudgedImages(pictures, np.arange(len(pixels))), list(texts))
    fires = np.arange(len(pixels)) < len(ids)
    return [detect(columns[:, place], fires) for place in range(len(texts))]
