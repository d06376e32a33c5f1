"""Measure how well texts fit the activations of units on images, as two judges see these images.

    p        = max(z(a), 0)^2             what is above a unit's mean, the strongest most
    fit      = corr(p, z(v1) + z(v3))     v1, v3: presence of a text by the chooser and the judge
    range    = corr(a, z(v1) + z(v3))
    quiet    = mean of v3 over the images in which a is at or below its median

z standardizes over the images. All texts of a block are judged at once, and the correlations of all
units with them are two matrix products. A constant unit or column correlates with nothing: 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.describers.abstention.stability import wins

BLOCK = 256  # texts judged at once
Columns = Callable[[Sequence[str]], np.ndarray]
"""Presence float32 [images, texts] of texts."""


@dataclass(frozen=True)
class Fits:
    """Correlations, and judged presence in quiet images, of a unit's texts: float64 [texts]."""

    fit: np.ndarray
    fit_chooser: np.ndarray
    fit_judge: np.ndarray
    range: np.ndarray
    quiet: np.ndarray


def standardized(values: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and deviation 1: float32 of float [rows, images]; constant rows are 0."""
    centered = values.astype(np.float32) - values.mean(1, dtype=np.float64)[:, None]
    deviation = np.sqrt(np.square(centered).mean(1, dtype=np.float64))
    scale = np.where(deviation > 1e-9, deviation, np.inf)
    return np.asarray(centered / scale[:, None], np.float32)


def strength(activations: np.ndarray) -> np.ndarray:
    """max(z(a), 0)^2, standardized: float32 [units, images]."""
    return standardized(np.square(np.maximum(standardized(activations), 0)))


def _quiet(activations: np.ndarray) -> np.ndarray:
    """Weights of quiet images, equal and with the sum 1: float32 [units, images]."""
    quiet = activations <= np.median(activations, 1, keepdims=True)
    return np.asarray(quiet / quiet.sum(1, keepdims=True), np.float32)


class Fitted:
    """Fits of the texts of units, and whether other images would have chosen another.

    Args:
        activations: float [units, images].
        chooser: presence of texts in these images.
        judge: the same by the judge.
        texts: of each unit.

    """

    def __init__(
        self,
        activations: np.ndarray,
        chooser: Columns,
        judge: Columns,
        texts: Sequence[Sequence[str]],
    ) -> None:
        distinct = list(dict.fromkeys(text for one in texts for text in one))
        place_of = {text: place for place, text in enumerate(distinct)}
        self._places = [np.array([place_of[text] for text in one], np.int64) for one in texts]
        self._strong, self._images = strength(activations), activations.shape[1]
        self._both = np.empty((len(distinct), self._images), np.float32)
        self._quiet = _quiet(activations)
        every = [
            self._block(standardized(activations), chooser, judge, distinct, first)
            for first in range(0, len(distinct), BLOCK)
        ]
        found = np.concatenate(every, 2) if every else np.zeros((5, len(texts), 0))
        self.fits = [Fits(*found[:, unit, one]) for unit, one in enumerate(self._places)]

    def _block(
        self,
        activations: np.ndarray,
        chooser: Columns,
        judge: Columns,
        distinct: Sequence[str],
        first: int,
    ) -> np.ndarray:
        """The parts of `Fits` of all units with a block of texts: float64 [5, units, texts]."""
        part = distinct[first : first + BLOCK]
        seen = judge(part)
        a, b = (standardized(columns.T) for columns in (chooser(part), seen))
        both = self._both[first : first + len(part)] = standardized(a + b)
        pairs = ((self._strong, both), (self._strong, a), (self._strong, b), (activations, both))
        found = [of @ column.T / self._images for of, column in pairs]
        return np.stack([*found, self._quiet @ seen]).astype(np.float64)

    def wins(self, unit: int, offsets: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Share of the resamples in which each text of a unit has the highest score.

        Args:
            unit: its number.
            offsets: float [texts], the part of the score that does not depend on images.
            counts: float [images, resamples] (`abstention.stability.resample_counts`).

        """
        columns = self._both[self._places[unit]].T
        return wins(self._strong[unit], columns, offsets, counts.astype(np.float32))
