"""Overlaps of units' masks with concepts' masks, and the formulas of concepts that fit them best.

    concepts = SparseMasks(starts, which, words)    # image by image: the concepts that are in it
    units = SparseMasks(starts, images, words)      # unit by unit: the images that it is on in
    both = concept_overlaps(units, concepts, count)         # int64 [U, C], pixels
    found = compose(units, concepts, count, beam=5, length=3)

A mask is a row of 64-bit words (`mask_words`). Only masks with a pixel are kept: a scene shows a
few of the concepts, a unit is on in a few of the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops.backend import native
from milan_core.ops.reference import formulas as reference
from milan_core.ops.reference.formulas import AND, AND_NOT, NONE, OR, SparseMasks

__all__ = [
    "AND",
    "AND_NOT",
    "LONGEST",
    "NONE",
    "OR",
    "Formulas",
    "SparseMasks",
    "compose",
    "concept_overlaps",
    "mask_words",
]

Array = np.ndarray
LONGEST = 8  # parts of a formula


@dataclass(frozen=True)
class Formulas:
    """The best formula of each unit: a first concept, joined with others from left to right."""

    joins: Array
    """int8 [U, length]: OR (and the first), AND, AND_NOT; NONE after the last."""
    concepts: Array
    """int64 [U, length]: -1 after the last part; all -1 for a unit that shares no pixel."""
    both: Array
    """int64 [U]: pixels of unit and formula."""
    either: Array
    """int64 [U]: pixels of unit or formula."""

    @property
    def iou(self) -> Array:
        """float64 [U]: intersection over union; 0 for a unit without pixels."""
        return self.both / np.maximum(self.either, 1)


def mask_words(packed: Any) -> Array:
    """uint64 (..., W) of packed masks uint8 (..., H, row bytes); bits beyond the mask are 0."""
    packed = np.asarray(packed)
    if packed.ndim < 2 or packed.dtype != np.uint8:
        raise UserError(
            f"mask_words: packed masks are uint8 (..., H, row bytes), got {packed.dtype} "
            f"{packed.shape}"
        )
    size = packed.shape[-2] * packed.shape[-1]
    flat = packed.reshape(*packed.shape[:-2], size)
    if size % 8:
        padded = np.zeros((*flat.shape[:-1], -(-size // 8) * 8), np.uint8)
        padded[..., :size] = flat
        flat = padded
    return np.ascontiguousarray(flat).view(np.uint64)


def concept_overlaps(
    units: SparseMasks, concepts: SparseMasks, count: int, threads: int = 1
) -> Array:
    """int64 [U, C]: pixels that each unit shares with each of `count` concepts, over all images."""
    _check(units, concepts, count)
    core = native()
    if core is None:
        return reference.concept_overlaps(units, concepts, count)
    return core.concept_overlaps(*units.arrays, *concepts.arrays, count, max(1, int(threads)))


def compose(
    units: SparseMasks,
    concepts: SparseMasks,
    count: int,
    beam: int = 5,
    length: int = 3,
    threads: int = 1,
) -> Formulas:
    """The formula of at most `length` concepts with the highest IoU, for every unit.

    Beam search as of Compositional Explanations: the `beam` best single concepts; then rounds that
    extend each formula of the beam by OR, AND or AND NOT with any concept that shares a pixel with
    the unit (as published; AND NOT would gain from the others too). Formulas that differ only in
    the order of their parts count once, an extension that changes no pixel does not count, and of
    equally good formulas the one tried first stays.
    """
    _check(units, concepts, count)
    if beam < 1 or not 1 <= length <= LONGEST:
        raise UserError(
            f"compose: beam must be positive and length in 1..{LONGEST}, got {beam} and {length}"
        )
    core = native()
    if core is None:
        return Formulas(*reference.compose(units, concepts, count, beam, length))
    threads = max(1, int(threads))
    return Formulas(*core.compose(*units.arrays, *concepts.arrays, count, beam, length, threads))


def _check(units: SparseMasks, concepts: SparseMasks, count: int) -> None:
    if units.bits.shape[1:] != concepts.bits.shape[1:]:
        raise UserError(
            f"the masks of units have {units.bits.shape[1]} words, those of concepts "
            f"{concepts.bits.shape[1]}; make both at one size"
        )
    if concepts.members.size and int(concepts.members.max()) >= count:
        raise UserError(f"concept {int(concepts.members.max())} is not below their number {count}")
