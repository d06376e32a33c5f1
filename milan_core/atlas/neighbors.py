"""Units that act alike: nearest by activation on the same images, and by the words of the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.exemplars.table import ActivationTable
from milan_core.referee.table import evenly
from milan_core.scoring.words import tokens

NEAREST = 8
IMAGES = 2048  # on which activations are compared, at most
BLOCK = 512  # units whose correlations are in memory at once
Near = list[list[tuple[int, float]]]
"""Of each unit, (number of another, similarity), nearest first."""
COMMON = frozenset(
    ["a", "an", "and", "at", "for", "in", "is", "it", "of", "on", "the", "to", "with"]
)


def standardized(table: ActivationTable, keys: Sequence[UnitKey]) -> np.ndarray:
    """Activations float32 [units, images] with mean 0 and length 1; constant units are 0.

    Units that the table lacks are 0 as well. Every table of one data set has the same images.
    """
    columns = evenly(np.arange(len(table.ids)), IMAGES)
    rows = table.rows_of(keys)
    out = np.zeros((len(keys), len(columns)), np.float32)
    for start in range(0, len(keys), BLOCK):
        part = rows[start : start + BLOCK]
        block = table.block(np.maximum(part, 0), images=columns)
        block = np.where(np.isfinite(block), block, 0)
        block -= block.mean(1, keepdims=True)
        length = np.linalg.norm(block, axis=1)
        usable = (length > 1e-6) & (part >= 0)
        block = np.where(usable[:, None], block / np.where(usable, length, 1)[:, None], 0)
        out[start : start + BLOCK] = block
    return out


def nearest(a: np.ndarray, b: np.ndarray | None = None, count: int = NEAREST) -> Near:
    """Of each row of `a` the rows of `b` with the highest positive correlation.

    Args:
        a: float32 [units, images] of `standardized`.
        b: of another network on the same images; None: `a`, and no unit is its own neighbor.
        count: neighbors of a unit.

    """
    near: Near = []
    other = a if b is None else b
    for start in range(0, len(a), BLOCK):
        likeness = a[start : start + BLOCK] @ other.T
        if b is None:
            own = np.arange(len(likeness))
            likeness[own, start + own] = -1
        near += _top(likeness, count)
    return near


def _top(likeness: np.ndarray, count: int) -> Near:
    count = min(count, likeness.shape[1])
    best = np.argpartition(-likeness, count - 1, axis=1)[:, :count] if count else likeness[:, :0]
    rows = []
    for row, places in zip(likeness, best.astype(int), strict=True):
        order = sorted(places.tolist(), key=lambda place: (-row[place], place))
        rows.append([(place, float(row[place])) for place in order if row[place] > 0])
    return rows


def nearest_texts(texts: Sequence[str], count: int = NEAREST) -> Near:
    """Of each text those that share its words, rare words counting more; empty ones have none.

    Words count once a text, weighted by the logarithm of how many texts lack them.
    """
    from scipy import sparse

    words = [sorted(set(tokens(text)) - COMMON) for text in texts]
    known = {word: place for place, word in enumerate(sorted({w for one in words for w in one}))}
    if not known:
        return [[] for _ in texts]
    rows = np.repeat(np.arange(len(words)), [len(one) for one in words])
    columns = np.array([known[word] for one in words for word in one], int)
    counts = np.bincount(columns, minlength=len(known))
    weights = np.log1p(len(texts) / np.maximum(counts, 1))[columns].astype(np.float32)
    lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(words)))
    weights /= np.maximum(lengths, 1e-6)[rows]
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(len(words), len(known)))
    near: Near = []
    for start in range(0, len(words), BLOCK):
        likeness = (matrix[start : start + BLOCK] @ matrix.T).toarray()
        own = np.arange(len(likeness))
        likeness[own, start + own] = -1
        near += _top(likeness, count)
    return near
