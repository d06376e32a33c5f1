"""Annotated units of a split: features, annotations, and which units are kept for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.annotations.records import read_unit_groups, read_unit_texts
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.captioner.options import TrainingSplit
from milan_core.core.arrays import drop_pages
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.seeding import generator

Unit = tuple[str, str, int]  # network, layer, unit
UNITS_HEADER = ("model", "layer", "unit", "side")
_BLOCK = 256  # units whose features are copied at once


@dataclass(frozen=True)
class AnnotatedUnits:
    """Annotated units of the networks of a split.

    Attributes:
        units: (network, layer, unit) per row.
        parts: per network its features as they are on disk, [U, k, F], and the rows of its
            annotated units; below each other they are the rows of `units`.
        captions: the annotations of each unit, in file order.
        encoder: hash of the encoder that made the features.
        groups: int64 [U], units of one number are no independent observations.
        wholes: per network the features of its whole exemplar images, [U, k, F], where its file has
            them (annotation sets may lack them; a spatial encoder has none of whole images).

    """

    units: list[Unit]
    parts: list[tuple[np.ndarray, np.ndarray]]
    captions: list[list[str]]
    encoder: str
    groups: np.ndarray
    wholes: tuple[np.ndarray | None, ...] = ()

    def whole_images(self, rows: np.ndarray) -> np.ndarray | None:
        """Features of the different images behind rows of `units`, [n, F]; None: there are none."""
        found: list[np.ndarray] = []
        begin = 0
        for array, (_, annotated) in zip(self.wholes, self.parts, strict=False):
            inside = (rows >= begin) & (rows < begin + len(annotated))
            wanted = annotated[rows[inside] - begin]
            begin += len(annotated)
            if array is None:
                continue
            for start in range(0, len(wanted), _BLOCK):
                block = array[wanted[start : start + _BLOCK]]
                found.append(np.unique(block.reshape(-1, block.shape[-1]), axis=0))
                drop_pages(array)
        return np.unique(np.concatenate(found), axis=0) if found else None

    def features(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Features of rows of `units` (default: all), ascending: float16 [n, k, F].

        They are copied once, from mapped files, so that no more than they is in memory.
        """
        rows = np.arange(len(self.units)) if rows is None else rows
        first = self.parts[0][0]
        copied = np.empty((len(rows), *first.shape[1:]), first.dtype)
        begin = done = 0
        for array, annotated in self.parts:
            inside = (rows >= begin) & (rows < begin + len(annotated))
            wanted = annotated[rows[inside] - begin]
            for start in range(0, len(wanted), _BLOCK):
                block = array[wanted[start : start + _BLOCK]]
                copied[done : done + len(block)] = block
                done += len(block)
                drop_pages(array)
            begin += len(annotated)
        return copied

    def table(self, tested: np.ndarray, trained: np.ndarray) -> list[tuple[str, str, int, str]]:
        """Rows of units.csv: the units of `tested`, bool [U], and rows `trained`, with the side."""
        sides: list[str] = np.where(tested, "test", "").tolist()
        for row in trained.tolist():
            sides[row] = "train"
        rows = zip(self.units, sides, strict=True)
        return [(*unit, side) for unit, side in rows if side]


def load_units(
    names: Sequence[str],
    features: Sequence[Path],
    annotations: Sequence[Path],
    masking: str = "exact",
) -> AnnotatedUnits:
    """Read and join the files of several networks; units without annotations are left out.

    `masking` names the features that are read.
    """
    if not len(names) == len(features) == len(annotations):
        message = (
            f"the split names {len(names)} networks, got {len(features)} feature files and "
            f"{len(annotations)} annotation files; give one of each per network"
        )
        raise UserError(message)
    tables = [load_features(path) for path in features]
    _check_alike(names, tables)
    units: list[Unit] = []
    parts, captions, numbers = [], [], []
    wholes: list[np.ndarray | None] = []
    groups: dict[tuple[str, int], int] = {}
    for name, table, path, place in zip(names, tables, annotations, features, strict=True):
        texts, of_unit = read_unit_texts(path), read_unit_groups(path)
        rows = [index for index, key in enumerate(table.rows) if texts.get(key)]
        if not rows:
            message = f"{path} has no annotation for any unit of {place}"
            raise UserError(message)
        if masking not in table.arrays:
            message = (
                f"{place}: no features {masking!r}, got {sorted(table.arrays)}; describe it too"
            )
            raise UserError(message)
        parts.append((table.arrays[masking], np.array(rows)))
        wholes.append(_wholes(table))
        units += [(name, *table.rows[index]) for index in rows]
        captions += [list(texts[table.rows[index]]) for index in rows]
        for index in rows:
            groups.setdefault((name, of_unit[table.rows[index]]), len(groups))
            numbers.append(groups[name, of_unit[table.rows[index]]])
    encoder = tables[0].meta["encoder"]
    return AnnotatedUnits(units, parts, captions, encoder, np.array(numbers), tuple(wholes))


def _wholes(table: FeatureTable) -> np.ndarray | None:
    """Features of whole images, of an encoder that gives one vector an exemplar."""
    pools_masks = "resize" in table.meta.get("pooling", {})
    return table.arrays.get("whole") if pools_masks else None


def _check_alike(names: Sequence[str], tables: Sequence[FeatureTable]) -> None:
    """Refuse features that one captioner cannot read together."""
    encoders = {name: table.meta["encoder"] for name, table in zip(names, tables, strict=True)}
    if len(set(encoders.values())) != 1:
        message = f"features of different encoders cannot be mixed: {encoders}; run features again"
        raise UserError(message)
    shapes = {
        name: table.arrays["exact"].shape[1:] for name, table in zip(names, tables, strict=True)
    }
    if len(set(shapes.values())) != 1:
        message = (
            f"features of different sizes (exemplars, features) cannot be mixed: {shapes}; mine "
            "and pool all networks of a split with the same k and options"
        )
        raise UserError(message)


def kept_for_test(groups: np.ndarray, split: TrainingSplit) -> np.ndarray:
    """Bool [units]: those kept for the test, the same for every trial of a split (spec 5.1).

    Whole groups are drawn, as many as fit into the share (the smallest where none does): a tested
    unit then has no near-duplicate in training that is of its group. `split.draw: units` draws
    single units, as published, and so do units that are all of one group.

    Args:
        groups: int64 [units], the group of each.
        split: share, seed and name, from which the draw is seeded.

    """
    tested = np.zeros(len(groups), bool)
    wanted = round(split.test_share * len(groups))
    if split.draw == "units" or len(np.unique(groups)) < 2:  # one group has no two sides
        groups = np.arange(len(groups))
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    left = wanted
    for group in generator(split.seed, "test units", split.name).permutation(len(names)).tolist():
        if sizes[group] <= left:
            tested[place == group] = True
            left -= int(sizes[group])
    if wanted and not tested.any():  # every group is larger than the share
        tested[place == sizes.argmin()] = True
    return tested


def as_many(rows: np.ndarray, like: Path, split: TrainingSplit) -> np.ndarray:
    """As many of `rows` as a captioner with the units of `like` was trained on, ascending.

    The draw is the same for every trial of a split.
    """
    count = sum(row["side"] == "train" for row in read_csv(like, UNITS_HEADER))
    if count > len(rows):
        message = f"{like} was trained on {count} units, the split {split.name!r} has {len(rows)}"
        raise UserError(message)
    drawn = generator(split.seed, "matched units", split.name).permutation(len(rows))[:count]
    return np.sort(rows[drawn])
