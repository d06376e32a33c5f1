"""Evidence of one network's descriptions from its ranking, a judge, and images apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.evidence import gather_evidence, held_out
from milan_core.describers.abstention.tables import Measured, rightness
from milan_core.describers.ranking import Ranked
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge, JudgedImages, judged
from milan_core.referee.resampling import Resamples, intervals
from milan_core.referee.table import scored_images
from milan_core.scoring.tables import Truth


@dataclass(frozen=True, eq=False)
class Looked:
    """Descriptions beside what a judge sees in images that did not choose them.

    Attributes:
        keys: (layer, unit) of U units.
        texts: their descriptions.
        activations: float32 [n, U].
        presence: float32 [n] by text.

    """

    keys: list[UnitKey]
    texts: list[str]
    activations: np.ndarray
    presence: dict[str, np.ndarray]

    def intervals(self, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """95 % intervals of the correlation over images: low and high, float64 [U].

        Resamples without an image on which a unit fires are left out; NaN where none is left.
        """
        if not self.texts:
            return np.zeros(0), np.zeros(0)
        columns = np.stack([self.presence[text] for text in self.texts], 1)
        resampled = Resamples(len(columns), seed).correlation(self.activations, columns)
        found = intervals(np.full(len(self.texts), np.nan), resampled)
        return np.array([one.low for one in found]), np.array([one.high for one in found])


def look(
    ranking: Mapping[UnitKey, Sequence[Ranked]],
    table: ActivationTable,
    dataset: Dataset,
    judge: Judge,
    fewest: int = 500,
) -> Looked:
    """The best candidate of every ranked unit in the images that did not choose it.

    Args:
        ranking: candidates of each unit, best first; made on other images than those of `table`
            that are held out. A unit without candidates is left out.
        table: activations; held-out images where it has some, else all of them.
        dataset: its images.
        judge: says what they show.
        fewest: images from which anything is said.

    Raises:
        UserError: for fewer images, and units that the table lacks.

    """
    keys = [key for key, candidates in ranking.items() if candidates]
    texts = [ranking[key][0].text for key in keys]
    positions, _ = scored_images(table, fewest)
    images = JudgedImages(dataset, table.ids[positions])
    presence = {
        text: column
        for part, columns in judged(judge, images, texts)
        for text, column in zip(part, columns.T, strict=True)
    }
    return Looked(keys, texts, table.block(_rows(table, keys), images=positions).T, presence)


def measure(
    ranking: Mapping[UnitKey, Sequence[Ranked]],
    looked: Looked,
    truth: Mapping[UnitKey, Truth],
    seed: int = 0,
) -> Measured:
    """The evidence of every ranked unit, as it is and if the images that score were shuffled.

    Args:
        ranking: candidates of each unit, best first.
        looked: the same units on other images.
        truth: the concept of each unit, as far as it is known.
        seed: of texts that are compared, and of the shuffling.

    """
    keys, texts, presence = looked.keys, looked.texts, looked.presence
    described = {key: ranking[key] for key in keys}
    apart = held_out(keys, texts, looked.activations, presence, seed)
    evidence = gather_evidence(described, apart)
    mixed = looked.activations.copy()
    for unit, key in enumerate(keys):
        mixed[:, unit] = generator(seed, "shuffled images", *key).permutation(mixed[:, unit])
    noise = held_out(keys, texts, mixed, presence, seed)
    return Measured(evidence, rightness(evidence, truth), evidence.judged_by(noise))


def _rows(table: ActivationTable, keys: Sequence[UnitKey]) -> np.ndarray:
    rows = table.rows_of(keys)
    if (rows < 0).any():
        layer, unit = keys[int(np.argmax(rows < 0))]
        raise UserError(
            f"the activation table of {table.facts.model!r} lacks unit {unit} of {layer}; make it "
            "again for this network"
        )
    return rows
