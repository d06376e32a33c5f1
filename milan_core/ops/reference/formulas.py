"""The plain NumPy meaning of `milan_core.ops.formulas`, on dense packed words.

It keeps every mask of every image, so it needs concepts x images x words of memory and touches all
of them for each formula: what the native search is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

OR, AND, AND_NOT, NONE = 0, 1, 2, -1
Parts = tuple[tuple[int, int], ...]  # (join, concept)


@dataclass(frozen=True)
class SparseMasks:
    """The masks with a pixel, group by group; members rise within a group.

    Groups are images and members concepts, or groups are units and members images.
    """

    starts: Array  # int64 [groups + 1]: rows of each group
    members: Array  # int64 [rows]
    bits: Array  # uint64 [rows, words]

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """(starts, members, bits) as the native core takes them."""
        return self.starts, self.members, self.bits

    @property
    def groups(self) -> Array:
        """int64 [rows]: the group of each row."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def pixels(self) -> Array:
        """int64 [rows]: pixels of each mask."""
        return _pixels(self.bits)

    def select(self, first: int, last: int) -> SparseMasks:
        """Groups first to last - 1."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        starts = self.starts[first : last + 1] - begin
        return SparseMasks(starts, self.members[begin:end], np.asarray(self.bits[begin:end]))


def dense_concepts(concepts: SparseMasks, count: int) -> Array:
    """uint64 [C, images * words]."""
    images, words = len(concepts.starts) - 1, concepts.bits.shape[1]
    dense = np.zeros((count, images, words), np.uint64)
    dense[concepts.members, concepts.groups] = concepts.bits
    return dense.reshape(count, images * words)


def _dense_unit(units: SparseMasks, unit: int, images: int) -> Array:
    """uint64 [images * words]."""
    own = units.select(unit, unit + 1)
    dense = np.zeros((images, units.bits.shape[1]), np.uint64)
    dense[own.members] = own.bits
    return dense.reshape(-1)


def _pixels(words: Array) -> Array:
    """Pixels that are on, over the last axis."""
    return np.bitwise_count(words).sum(-1, dtype=np.int64)


def concept_overlaps(units: SparseMasks, concepts: SparseMasks, count: int) -> Array:
    """See `milan_core.ops.formulas.concept_overlaps`."""
    dense = dense_concepts(concepts, count)
    images = len(concepts.starts) - 1
    rows = [_pixels(dense & _dense_unit(units, u, images)) for u in range(len(units.starts) - 1)]
    return np.array(rows, np.int64).reshape(-1, count)


def truth_words(parts: Parts, dense: Array) -> Array:
    """The mask of a formula: its first concept, then each join from left to right."""
    mask = dense[parts[0][1]].copy()
    for join, which in parts[1:]:
        if join == OR:
            mask |= dense[which]
        elif join == AND:
            mask &= dense[which]
        else:
            mask &= ~dense[which]
    return mask


def canonical(parts: Parts) -> tuple[object, ...]:
    """Equal exactly for formulas that differ only in the order of their parts.

    Runs of OR, and runs of AND with AND NOT, can be taken in any order within; the first concept
    belongs to the first run.
    """
    runs: list[tuple[bool, list[tuple[int, bool]]]] = []
    for place, (join, which) in enumerate(parts):
        first = parts[1][0] if place == 0 and len(parts) > 1 else join
        if not runs or runs[-1][0] != (first == OR):
            runs.append((first == OR, []))
        runs[-1][1].append((which, join == AND_NOT))
    return tuple((is_or, tuple(sorted(run))) for is_or, run in runs)


class _Beam:
    """The best formulas of one unit, best first."""

    def __init__(self, width: int, unit_pixels: int) -> None:
        self.width, self.unit_pixels = width, unit_pixels
        self.entries: list[tuple[float, Parts, int, int]] = []  # (IoU, parts, both, area)

    def offer(self, parts: Parts, both: int, area: int) -> None:
        iou = both / (self.unit_pixels + area - both) if both else 0.0
        if both <= 0 or (len(self.entries) == self.width and iou <= self.entries[-1][0]):
            return
        if canonical(parts) in [canonical(entry[1]) for entry in self.entries]:
            return
        self.entries.append((iou, parts, both, area))
        self.entries.sort(key=lambda entry: -entry[0])  # stable: the earlier one stays ahead
        del self.entries[self.width :]


def _best(unit: Array, dense: Array, areas: Array, beam_width: int, length: int) -> _Beam:
    shared = _pixels(dense & unit)
    beam = _Beam(beam_width, int(_pixels(unit)))
    for which in np.flatnonzero(shared).tolist():
        beam.offer(((OR, which),), int(shared[which]), int(areas[which]))
    for size in range(1, length):
        for _, parts, both, area in [e for e in beam.entries if len(e[1]) == size]:
            mask = truth_words(parts, dense)
            common, inside = _pixels(dense & mask), _pixels(dense & (mask & unit))
            used = {which for _, which in parts}
            for join in (OR, AND, AND_NOT):
                for which in np.flatnonzero(shared).tolist():
                    if which in used:
                        continue
                    b, a = int(inside[which]), int(common[which])
                    if join == OR:
                        b, a = both + int(shared[which]) - b, area + int(areas[which]) - a
                    elif join == AND_NOT:
                        b, a = both - b, area - a
                    if a != area:
                        beam.offer((*parts, (join, which)), b, a)
    return beam


def compose(
    units: SparseMasks, concepts: SparseMasks, count: int, beam: int, length: int
) -> tuple[Array, Array, Array, Array]:
    """(joins, concepts, both, either): see `milan_core.ops.formulas.compose`."""
    images = len(concepts.starts) - 1
    return compose_dense(units, dense_concepts(concepts, count), images, beam, length)


def compose_dense(
    units: SparseMasks, dense: Array, images: int, beam: int, length: int
) -> tuple[Array, Array, Array, Array]:
    """As `compose`, with the concepts' masks as uint64 [C, images * words]."""
    areas, number = _pixels(dense), len(units.starts) - 1
    joins = np.full((number, length), NONE, np.int8)
    chosen = np.full((number, length), -1, np.int64)
    both, either = np.zeros(number, np.int64), np.zeros(number, np.int64)
    for row in range(number):
        found = _best(_dense_unit(units, row, images), dense, areas, beam, length)
        either[row] = found.unit_pixels
        if found.entries:
            _, parts, both[row], area = found.entries[0]
            joins[row, : len(parts)] = [join for join, _ in parts]
            chosen[row, : len(parts)] = [which for _, which in parts]
            either[row] += area - both[row]
    return joins, chosen, both, either
