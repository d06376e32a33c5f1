"""Evidence of one network's descriptions from its ranking, a judge, and images apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from milan_core.referee.table import scored_images
from milan_core.scoring.tables import Truth


def measure(
    ranking: Mapping[UnitKey, Sequence[Ranked]],
    table: ActivationTable,
    dataset: Dataset,
    judge: Judge,
    truth: Mapping[UnitKey, Truth],
    seed: int = 0,
    fewest: int = 500,
) -> Measured:
    """The evidence of every ranked unit, as it is and if the images that score were shuffled.

    Args:
        ranking: candidates of each unit, best first; made on other images than those of `table`
            that are held out.
        table: activations; held-out images where it has some, else all of them.
        dataset: its images.
        judge: says what they show.
        truth: the concept of each unit, as far as it is known.
        seed: of texts that are compared, and of the shuffling.
        fewest: images from which anything is said.

    Raises:
        UserError: for fewer images, and units that the table lacks.

    """
    ranking = {key: candidates for key, candidates in ranking.items() if candidates}
    keys = list(ranking)
    texts = [ranking[key][0].text for key in keys]
    positions, _ = scored_images(table, fewest)
    images = JudgedImages(dataset, table.ids[positions])
    presence = {
        text: column
        for part, columns in judged(judge, images, texts)
        for text, column in zip(part, columns.T, strict=True)
    }
    activations = table.block(_rows(table, keys), images=positions).T
    evidence = gather_evidence(ranking, held_out(keys, texts, activations, presence, seed))
    mixed = activations.copy()
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
