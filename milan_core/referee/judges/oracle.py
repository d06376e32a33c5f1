"""The oracle: what scenes of a known world show, by their instance maps and the lexicon.

A concept is visible in an image where at least `VISIBLE` of the pixels show it (8 of a scene of 64
by 64). `graded` gives shares of pixels in place of yes and no. Exact by construction, for texts
that the lexicon reads (`Reader`); a text that it cannot read has a column of NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.images.store import Dataset
from milan_core.referee.judge import JudgedImages, JudgeResources
from milan_core.referee.judges.reading import Formula, Leaf, Reader
from milan_core.referee.judges.zoo import ZooOracle, zoo_oracle
from milan_core.referee.options import OracleOptions
from milan_core.world.concepts import ConceptTable

VISIBLE = 8 / 64**2  # share of an image's pixels
_BATCH = 128


class Judge:
    """Ground truth of texts in the images of a world.

    Args:
        graded: shares of pixels, not whether there are enough of them.

    """

    def __init__(self, *, graded: bool = False) -> None:
        self.name, self.model = "oracle (shares)" if graded else "oracle", "oracle"
        self.graded = graded
        self._last: tuple[JudgedImages, Scenes] | None = None
        self._facts: tuple[Dataset, ZooOracle] | None = None

    @classmethod
    def load(cls, options: OracleOptions, resources: JudgeResources) -> Judge:
        """The oracle needs no files."""
        return cls(graded=options.graded)

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Presence of each text in each image: float32 [images, texts], NaN where it is not read.

        Raises:
            UserError: for images without ground truth.

        """
        if images.dataset.kind == "zoo":
            return self._zoo(images).columns(images, texts)
        scenes = self._look(images)
        out = np.full((len(images), len(texts)), np.nan, np.float32)
        for place, text in enumerate(texts):
            formula = scenes.reader.read(text)
            if formula is not None:
                out[:, place] = scenes.presence(formula, graded=self.graded)
        return out

    def _zoo(self, images: JudgedImages) -> ZooOracle:
        """Ground truth of the zoo: counts, sizes and places as well."""
        if self._facts is None or self._facts[0] is not images.dataset:
            self._facts = images.dataset, zoo_oracle(images.dataset)
        return self._facts[1]

    def _look(self, images: JudgedImages) -> Scenes:
        if self._last is None or self._last[0] is not images:
            self._last = images, Scenes(images.dataset, images.ids)
        return self._last[1]


class Scenes:
    """The visible concepts of some scenes of a world.

    Args:
        dataset: with instance maps and scenes.
        ids: int64 [n], the images.

    Raises:
        UserError: for a data set without ground truth.

    """

    def __init__(self, dataset: Dataset, ids: np.ndarray) -> None:
        self._table = ConceptTable(dataset)
        self.reader = Reader(self._table.lexicon)
        self._members = {
            concept.name: self._table.parents[:, place].astype(bool)
            for place, concept in enumerate(self._table.concepts)
        }
        self._colors = {name: place for place, name in enumerate(self._table.lexicon.colours)}
        self.pixels = self._count(np.asarray(ids, np.int64))
        """Pixels by leaf and color of each image, as shares of the image: float32 [n, L, K]."""

    def _count(self, ids: np.ndarray) -> np.ndarray:
        height, width = self._table.instances.shape[1:]
        parts = []
        for start in range(0, len(ids), _BATCH):
            rows = ids[start : start + _BATCH, None]
            whole = np.ones((*rows.shape, height, width), bool)
            parts.append(self._table.look(rows, whole).counts[:, 0].astype(np.float32))
        return np.concatenate(parts) / np.float32(height * width)

    def presence(self, formula: Formula, *, graded: bool = False) -> np.ndarray:
        """Presence of what a formula asks for in each image: float32 [n], 0 to 1."""
        if isinstance(formula, Leaf):
            return self._leaf(formula, graded=graded)
        parts = [self.presence(part, graded=graded) for part in formula.parts]
        if formula.how == "not":
            return 1 - parts[0]
        if formula.how == "mean":
            return np.mean(parts, axis=0)
        if formula.how == "all":
            return np.min(parts, axis=0)
        return np.minimum(np.sum(parts, axis=0), 1) if graded else np.max(parts, axis=0)

    def _leaf(self, leaf: Leaf, *, graded: bool) -> np.ndarray:
        pixels = self.pixels
        if leaf.concept is not None:
            pixels = pixels[:, self._members[leaf.concept]]
        if leaf.color is not None:
            pixels = pixels[:, :, [self._colors[leaf.color]]]
        share = pixels.sum((1, 2))
        return share if graded else (share >= np.float32(VISIBLE)).astype(np.float32)
