"""The share of images on which a unit counts as firing (alpha of NeuronEval), and its choice.

AUPRC and the scores beside it need to know when a unit fires. As published, alpha is chosen on 5 %
of the units: that of the list under which the lift of their texts is largest. It is chosen on
images that do not score, and only among those that make 5 firing images or more there and among the
images that score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_json, write_json
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge, JudgedImages, judged
from milan_core.referee.metrics import Pair, auprc_lift, correlation, firing, rank_of
from milan_core.referee.options import ALPHA
from milan_core.referee.scored import Explanation
from milan_core.referee.table import dead_units, evenly

ALPHAS = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
POSITIVES = 5  # firing images below which an alpha is left out
SHARE, LEAST = 0.05, 20  # of the units; units at least
IMAGES = 2000  # that do not score, evenly over all of them
KIND, VERSION = "milan-alpha", 1


@dataclass(frozen=True)
class Chosen:
    """Alpha, and what it was chosen from.

    Attributes:
        alpha: the share of images.
        lifts: mean lift by alpha; nothing where none could be compared.
        units: whose texts were compared.
        images: on which they were compared.
        judge: that looked at them; empty where none did.

    """

    alpha: float = ALPHA
    lifts: tuple[tuple[float, float], ...] = ()
    units: int = 0
    images: int = 0
    judge: str = ""

    def sentence(self) -> str:
        """The source of alpha, for people."""
        if not self.lifts:
            return f"Alpha is {self.alpha:g}, the default: nothing could choose it."
        return (
            f"Alpha is {self.alpha:g}: of {len(self.lifts)} values it gives the texts of "
            f"{self.units} units the largest lift on {self.images} images that do not score."
        )

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        record: dict[str, Any] = {"format": KIND, "version": VERSION, **vars(self)}
        write_json(path, record)


def read_alpha(path: Path) -> float:
    """The alpha of `Chosen.save`; raises `UserError` for another file."""
    with reading(path, "a chosen alpha", "choose it again"):
        record = read_json(path, "a chosen alpha")
        if record["format"] != KIND or record["version"] != VERSION:
            raise UserError(f"{path} is no {KIND} of version {VERSION}; choose it again")
        if record["alpha"] not in (ALPHA, *ALPHAS):
            raise UserError(f"{path}: alpha is {record['alpha']!r}, not one to choose from")
        return float(record["alpha"])


def drawn_units(keys: Sequence[UnitKey], seed: int) -> list[UnitKey]:
    """The units that choose, drawn among those with a text: 5 %, at least `LEAST`, in order."""
    count = min(len(keys), max(LEAST, math.ceil(SHARE * len(keys))))
    places = generator(seed, "units that choose alpha").permutation(len(keys))[:count]
    return [keys[place] for place in np.sort(places)]


def pairs_of(
    table: ActivationTable,
    positions: np.ndarray,
    images: JudgedImages,
    judge: Judge,
    explained: Sequence[Explanation],
    pool: str = "max",
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Activation and presence, float64 [n] each, of units that the judge's columns fit at all.

    Units that are dead here, texts that the judge cannot read and those that do not correlate are
    left out: they would choose by noise.

    Args:
        table: activations of the network.
        positions: int64 [n], its columns that do not score.
        images: the same images.
        judge: says what they show.
        explained: one explanation a unit; the first text counts.
        pool: of the table.

    """
    row_of = {key: row for row, key in enumerate(table.keys)}
    chosen = [one for one in explained if one.texts and one.key in row_of]
    texts = list(dict.fromkeys(one.texts[0] for one in chosen))
    if not texts:
        return []
    columns = np.concatenate([part for _, part in judged(judge, images, texts)], 1)
    rows = np.array([row_of[one.key] for one in chosen])
    order = np.unique(rows)
    values = table.block(order, pool, positions).astype(np.float64)
    dead = dead_units(values)
    pairs = []
    for one, row in zip(chosen, np.searchsorted(order, rows), strict=True):
        c = columns[:, texts.index(one.texts[0])].astype(np.float64)
        if not dead[row] and not np.isnan(c).any() and float(correlation(values[row], c)) > 0:
            pairs.append((values[row], c))
    return pairs


def mined_pairs(
    tables: Sequence[ActivationTable],
    said: Sequence[Mapping[UnitKey, str]],
    datasets: Sequence[Dataset],
    judge: Judge,
    seed: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`pairs_of` some units of several networks on their mined images, data set by data set.

    Args:
        tables: activations of each network on the images that it was mined on.
        said: the main description of each unit, of the same networks.
        datasets: the mined data sets, each once.
        judge: says what their images show.
        seed: of the units.

    """
    pairs = []
    for dataset in datasets:
        seen: dict[bytes, JudgedImages] = {}
        for table, texts in zip(tables, said, strict=True):
            if table.facts.dataset != dataset.fingerprint:
                continue
            positions = evenly(np.flatnonzero(~table.heldout), IMAGES)
            ids = table.ids[positions]
            images = seen.setdefault(ids.tobytes(), JudgedImages(dataset, ids))
            named = [key for key in table.keys if texts.get(key, "").strip()]
            ones = [Explanation(key, (texts[key],)) for key in drawn_units(named, seed)]
            pairs += pairs_of(table, positions, images, judge, ones)
    return pairs


def choose_alpha(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], scored: int, judge: str = ""
) -> Chosen:
    """The alpha with the largest mean lift, the smaller of equal ones.

    Args:
        pairs: activation and presence of some units, of `pairs_of`.
        scored: images that score.
        judge: its name, for the record.

    """
    images = min((len(a) for a, _ in pairs), default=0)
    able = [x for x in ALPHAS if rank_of(x, min(images, scored)) >= POSITIVES]
    lifts = []
    for alpha in able:
        values = [auprc_lift(Pair(a, c, firing(a, alpha))) for a, c in pairs]
        lifts.append((alpha, round(float(np.nanmean(values)), 6)))
    if not lifts:
        return Chosen()
    best = max(lifts, key=lambda item: (item[1], -item[0]))
    return Chosen(best[0], tuple(lifts), len(pairs), images, judge)
