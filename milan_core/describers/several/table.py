"""labels.csv: several labels for every unit of a network, chosen out of texts on one part of the
images and judged on another.

    rows = label_network(table, dataset, judge, {"layer4": ["dogs", "cats", "wheels"]})
    write_csv("labels.csv", COLUMNS, [cells for unit in rows for cells in unit.cells()])

The table is one of descriptions too: `milan score --descriptions labels.csv` scores the lists as
linear explanations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.files import numbered_rows
from milan_core.core.progress import tracked
from milan_core.core.units import UnitKey
from milan_core.describers.several.choosing import CoverRule, cover_labels
from milan_core.describers.several.report import LabelFigures, label_figures
from milan_core.exemplars.splits import heldout_images
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge, JudgedImages, judged
from milan_core.referee.metrics import correlation
from milan_core.referee.scored import rounded
from milan_core.referee.submitted import Submitted
from milan_core.referee.table import dead_units
from milan_core.scoring.units import unit_key

CANDIDATES = 50  # of a unit: the texts that correlate best with it alone
CHOOSING = 4000  # images that choose, at most
COLUMNS = (
    *("layer", "unit", "rank", "description", "weight", "share", "correlation"),
    *("labels", "list_correlation", "mean_correlation", "single", "single_correlation"),
    *("covered", "apart"),
)
"""A row a label. `share` is of the unit's activation, on images that show the label; `correlation`
is its own, `list_correlation` that of the weighted list, `mean_correlation` the mean of the labels'
own, to be compared with that of the best `single` text; `covered` is the share of the activation on
images that show any label, `apart` 1 - the mean correlation of the labels' columns."""


@dataclass(frozen=True)
class UnitLabels:
    """The labels of one unit, the one with the largest own correlation first."""

    key: UnitKey
    texts: tuple[str, ...]
    figures: LabelFigures
    single: str
    single_correlation: float

    def cells(self) -> list[list[object]]:
        """Rows of labels.csv."""
        f = self.figures
        whole = (len(self.texts), rounded(f.together), rounded(f.mean_alone))
        beside = (self.single, rounded(self.single_correlation), rounded(f.covered))
        return [
            [
                *(*self.key, rank, text, rounded(f.weights[rank - 1])),
                *(rounded(f.shares[rank - 1]), rounded(f.alone[rank - 1])),
                *(*whole, *beside, rounded(f.apart)),
            ]
            for rank, text in enumerate(self.texts, start=1)
        ]


def layer_texts(tables: Iterable[Submitted]) -> dict[str, list[str]]:
    """All texts that tables say of any unit of a layer, by layer."""
    texts: dict[str, list[str]] = {}
    for table in tables:
        for (layer, _), explanation in table.explanations.items():
            texts.setdefault(layer, []).extend(explanation.texts)
    return texts


def read_labels(path: Path | str) -> dict[UnitKey, list[str]]:
    """The labels of a file of this module by unit, in their order."""
    labels: dict[UnitKey, list[str]] = {}
    for _, row in numbered_rows(path, ("layer", "unit", "description")):
        labels.setdefault(unit_key(row, path), []).append(row["description"])
    return labels


def parts_of_images(table: ActivationTable) -> tuple[np.ndarray, np.ndarray]:
    """Positions of images that choose labels, and of those that judge them: int64 each.

    The table's held-out images judge; where it has none, or nothing else, a fifth by hash.
    """
    held = table.heldout
    if not held.any() or held.all():
        held = heldout_images(table.facts.dataset, table.facts.images, "split")[table.ids]
    choosing = np.flatnonzero(~held)
    if len(choosing) > CHOOSING:
        choosing = choosing[np.linspace(0, len(choosing) - 1, CHOOSING).astype(np.int64)]
    return choosing, np.flatnonzero(held)


def label_network(
    table: ActivationTable,
    dataset: Dataset,
    judge: Judge,
    texts: Mapping[str, Sequence[str]],
    rule: CoverRule | None = None,
    pool: str = "max",
) -> list[UnitLabels]:
    """Labels of every unit of the layers that have candidate texts.

    Dead units, and units that no candidate describes, have none.

    Args:
        table: activations of the network on the images.
        dataset: the images.
        judge: says what they show.
        texts: candidates by layer; each unit chooses among the `CANDIDATES` that correlate best.
        rule: when another label is added.
        pool: of the table.

    """
    chosen, kept = parts_of_images(table)
    images = JudgedImages(dataset, table.ids)
    keys, found = table.keys, list[UnitLabels]()
    layers = np.array([layer for layer, _ in keys])
    for layer, candidates in texts.items():
        distinct = list(dict.fromkeys(text for text in candidates if text.strip()))
        if not distinct or not (layers == layer).any():
            continue
        columns = np.concatenate([part for _, part in judged(judge, images, distinct)], 1)
        here = np.flatnonzero(layers == layer)
        blocks = table.blocks(pool, rows=here)
        for rows, block in tracked(
            blocks, f"labels of {layer}", "unit", total=len(here), size=lambda one: len(one[0])
        ):
            dead = dead_units(block)
            for row, a, silent in zip(rows.tolist(), block, dead.tolist(), strict=True):
                if not silent:
                    found += _of_unit(keys[row], a, columns, distinct, chosen, kept, rule)
    return found


def _of_unit(
    key: UnitKey,
    a: np.ndarray,
    columns: np.ndarray,
    texts: Sequence[str],
    chosen: np.ndarray,
    kept: np.ndarray,
    rule: CoverRule | None,
) -> Iterator[UnitLabels]:
    """The unit's labels, if a candidate describes it."""
    first, last = a[chosen], a[kept]
    own = correlation(np.repeat(first[:, None], len(texts), 1), columns[chosen])
    best = np.argsort(-np.nan_to_num(own, nan=-2.0), kind="stable")[:CANDIDATES]
    labels = [int(best[i]) for i in cover_labels(first, columns[chosen][:, best], rule)]
    if not labels:
        return
    figures = label_figures((first, columns[chosen][:, labels]), (last, columns[kept][:, labels]))
    single = int(best[0])
    alone = float(correlation(last, columns[kept][:, single]))
    yield UnitLabels(key, tuple(texts[one] for one in labels), figures, texts[single], alone)
