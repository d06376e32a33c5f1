"""Beams: the candidate descriptions of every unit, with log p(d|E) and log p(d) of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError, reads
from milan_core.core.options import Content
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import load_tensors
from milan_core.core.units import UnitKey
from milan_core.scoring.wpmi import wpmi


@dataclass(frozen=True)
class Beams:
    """Candidates per unit: `captions[u][b]`, with log p(d|E) and log p(d), float32 [U, B]."""

    units: tuple[UnitKey, ...]
    captions: tuple[tuple[str, ...], ...]
    logp: np.ndarray
    logp_lm: np.ndarray

    def select(self, units: Sequence[UnitKey]) -> Beams:
        """The beams of `units`, in that order; a unit without beams is a `KeyError`."""
        place = {key: index for index, key in enumerate(self.units)}
        rows = [place[key] for key in units]
        captions = tuple(self.captions[row] for row in rows)
        return Beams(tuple(units), captions, self.logp[rows], self.logp_lm[rows])

    def rerank(self, weight: float) -> list[str]:
        """The caption with the highest logp - weight * logp_lm per unit; ties: the earlier beam.

        The same beams serve every weight (paper section 3); 0 is plain p(d|E).
        """
        scores = wpmi(self.logp.astype(np.float64), self.logp_lm.astype(np.float64), weight)
        best = scores.argmax(axis=1)
        return [texts[index] for texts, index in zip(self.captions, best, strict=True)]


ARRAYS = {"logp": "float32 units captions", "logp_lm": "float32 units captions"}


class BeamsMeta(Content):
    """Metadata of a `milan-beams` file: units, and the captions of each."""

    layers: list[str]
    units: list[int]
    captions: list[list[str]]


@reads("a file of beams", "describe the units again")
def read_beams(path: Path) -> Beams:
    """Read a `milan-beams` file."""
    arrays, meta = load_tensors(path, "milan-beams", BeamsMeta)
    units = tuple(zip(meta.layers, meta.units, strict=True))
    captions = tuple(tuple(texts) for texts in meta.captions)
    shape = (len(units), len(captions[0]) if captions else 0)
    if any(len(texts) != shape[1] for texts in captions) or 0 in shape or len(captions) != shape[0]:
        raise UserError(f"{path}: its units have different numbers of captions, or none")
    check_arrays(arrays, ARRAYS, units=shape[0], captions=shape[1])
    return Beams(units, captions, arrays["logp"], arrays["logp_lm"])
