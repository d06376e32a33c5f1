"""Weighted pointwise mutual information of descriptions and exemplars."""

from __future__ import annotations

import numpy as np


def wpmi(logp: np.ndarray, logp_lm: np.ndarray, weight: float) -> np.ndarray:
    """Equation 3 of Hernandez et al. 2022: log p(d|E) - weight * log p(d).

    Args:
        logp: log p(d|E), float32 or float64 of any shape; the result has its type.
        logp_lm: log p(d), of the same shape and type.
        weight: lambda; 0 gives log p(d|E) even where log p(d) is not finite.

    """
    if weight == 0:
        return logp
    return logp - logp.dtype.type(weight) * logp_lm
