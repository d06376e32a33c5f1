"""Structure of what a unit responds to: clarity, redundancy, monosemanticity.

All from unit-length vectors of images, v (n images, d numbers), by one matrix product each.
"""

from __future__ import annotations

import numpy as np


def clarity(vectors: np.ndarray) -> float:
    """Mean cosine of pairs of exemplars: n / (n - 1) (|mean v|^2 - 1 / n); float [n, d] unit rows.

    NaN for fewer than two exemplars.
    """
    n = len(vectors)
    if n < 2:
        return float("nan")
    mean = vectors.mean(0)
    return float(n / (n - 1) * (mean @ mean - 1 / n))


def redundancy(units: np.ndarray) -> float:
    """Mean over units of the largest cosine to another unit; float [units, d] unit rows."""
    if len(units) < 2:
        return float("nan")
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return float(cosines.max(1).mean())


def monosemanticity(activations: np.ndarray, vectors: np.ndarray, top: float = 1.0) -> np.ndarray:
    """Monosemanticity scores (arXiv 2504.02821): float64 [units], NaN for a constant unit.

    sum_{i<j} b_i b_j v_i.v_j / sum_{i<j} b_i b_j with b the activations scaled to 0..1, which is
    (|V'b|^2 - |b|^2) / ((sum b)^2 - |b|^2): one product, no loop over pairs.

    Args:
        activations: float [n, units].
        vectors: float [n, d], unit rows.
        top: quantile that is scaled to 1; below 1, one outlier does not decide the scale.

    """
    low = activations.min(0)
    high = np.quantile(activations, top, axis=0) if top < 1 else activations.max(0)
    span = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        b = np.clip((activations - low) / span, 0, 1).astype(np.float64)
        projected = vectors.astype(np.float64).T @ b
        squares = (b * b).sum(0)
        score = ((projected**2).sum(0) - squares) / (b.sum(0) ** 2 - squares)
    return np.where(span > 0, score, np.nan)
