"""What a judge sees under masks: the evidence of covered cells alone, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.describers.masked import Masked
from milan_core.describers.units import UnitImages
from milan_core.referee.judges.mini import Judge as MiniJudge

TEXTS = ["red areas", "blue areas"]


class Eyes(MiniJudge):
    """Sees in each of 2 x 2 cells how red and how blue it is; a text is the color it asks for."""

    def __init__(self) -> None:
        self.looked = 0

    def look(self, pixels: np.ndarray) -> np.ndarray:
        """Red and blue of each cell: float16 [n, 4, 2]."""
        self.looked += len(pixels)
        cells = pixels[:, ::2, ::2, ::2].reshape(len(pixels), 4, 2)
        return (cells / 255).astype(np.float16)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """One of two directions."""
        return np.eye(2, dtype=np.float32)[[TEXTS.index(text) for text in texts]]

    def presences(
        self, vectors: np.ndarray, texts: np.ndarray, shares: np.ndarray | None = None
    ) -> np.ndarray:
        """The largest evidence of a cell."""
        evidence = vectors.astype(np.float32) @ texts.T
        return evidence.max(1) if shares is None else (evidence * shares[..., None]).max(1)


def shown(*masked: tuple[int, int]) -> UnitImages:
    """Images of 4 x 4 pixels, the upper left cell red, the lower right one blue; masked cells."""
    images = np.zeros((len(masked), 4, 4, 3), np.uint8)
    images[:, :2, :2, 0] = images[:, 2:, 2:, 2] = 255
    masks = np.zeros((len(masked), 4, 4), bool)
    for mask, (row, column) in zip(masks, masked, strict=True):
        if row >= 0:
            mask[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = True
    return UnitImages(images, masks, np.arange(len(masked)))


def test_only_what_masks_cover_counts() -> None:
    """Both colors are in every image; an exemplar without mask pixels is left out."""
    units = [shown((0, 0), (0, 0)), shown((1, 1), (0, 0), (-1, -1)), shown((-1, -1))]
    masked = Masked(Eyes(), units, TEXTS)
    assert masked.under(0, TEXTS).tolist() == [1, 0]
    assert masked.under(1, TEXTS[::-1]).tolist() == [0.5, 0.5]
    assert masked.under(2, TEXTS).tolist() == [0, 0]
    assert masked.under(0, []).tolist() == []


def test_half_a_cell_counts_half() -> None:
    """The evidence of a cell counts by the share of it that is covered."""
    unit = shown((0, 0))
    unit.masks[0, 0] = False
    assert Masked(Eyes(), [unit], TEXTS).under(0, TEXTS).tolist() == [0.5, 0]


def test_what_was_seen_before_is_not_looked_at_again() -> None:
    """Images are found by their numbers; the same figures."""
    unit, eyes = shown((0, 0), (1, 1)), Eyes()
    vectors = np.concatenate([np.zeros((5, 4, 2), np.float16), eyes.look(unit.images)])
    looked = eyes.looked
    known = Masked(eyes, [unit._replace(ids=np.array([5, 6]))], TEXTS, vectors)
    assert known.under(0, TEXTS).tolist() == [0.5, 0.5]
    assert eyes.looked == looked


def test_masks_need_a_judge_of_parts_and_exemplars() -> None:
    """Both refusals say how to go on."""
    whole = SimpleNamespace(name="CLIP tiny")
    with pytest.raises(UserError, match=r"CLIP tiny, which sees whole images only.*give masks: 0"):
        Masked(whole, [shown((0, 0))], TEXTS)
    with pytest.raises(UserError, match=r"without exemplars.*give masks: 0"):
        Masked(Eyes(), None, TEXTS)
