"""A judge whose columns are kept: baselines and further scores ask for the same texts again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.referee.judge import Judge, JudgedImages, image_vectors

LIMIT = 512 << 20  # bytes of columns that are kept


class Remembered:
    """Asks a judge once for every text of the same images, as far as memory allows."""

    def __init__(self, judge: Judge, limit: int = LIMIT) -> None:
        self.name, self.model, self.judge = judge.name, judge.model, judge
        self._limit = limit
        self._images: JudgedImages | None = None
        self._columns: dict[str, np.ndarray] = {}

    def image_vectors(self, images: JudgedImages) -> np.ndarray | None:
        """Unit vectors of the images, where the judge has some."""
        return image_vectors(self.judge, images)

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """As the judge's."""
        if self._images is not images:
            self._images, self._columns = images, {}
        new = [text for text in dict.fromkeys(texts) if text not in self._columns]
        if new:
            columns = np.asarray(self.judge.columns(images, new), np.float32)
            self._columns |= dict(zip(new, np.ascontiguousarray(columns.T), strict=True))
        out = np.stack([self._columns[text] for text in texts], 1)
        if len(self._columns) * 4 * len(images) > self._limit:
            self._columns = {}
        return out
