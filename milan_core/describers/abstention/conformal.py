"""A threshold on the confidence with a guarantee (conformal risk control, S11.4).

A unit is answered where its confidence reaches the threshold; its loss is 1 where it is answered
and wrong. Of m calibration units with the mean loss R(t), the smallest threshold with

    m / (m + 1) R(t) + 1 / (m + 1) <= alpha

keeps the expected share of units that are answered wrongly at alpha or below, for units that are
exchangeable with the calibration units (Angelopoulos et al. 2024, theorem 1), and for no others.
"""

from __future__ import annotations

import numpy as np

ALPHA = 0.05
NOBODY = 2.0
"""Threshold that no confidence reaches."""


def threshold(confidence: np.ndarray, right: np.ndarray, alpha: float = ALPHA) -> float:
    """The smallest threshold that keeps the risk; `NOBODY` where none does.

    Args:
        confidence: float [m], of the calibration units.
        right: float [m], 1 for a right description and 0 for a wrong one.
        alpha: share of all units that may be answered wrongly.

    """
    m = len(confidence)
    order = np.argsort(confidence, kind="stable")
    values, wrong = confidence[order], 1 - np.asarray(right, np.float64)[order]
    risk = np.append(wrong[::-1].cumsum()[::-1], 0.0)  # answered from this place on, and wrong
    candidates = np.append(values, NOBODY)
    first = np.searchsorted(candidates, candidates, "left")  # equal ones are answered together
    allowed = np.flatnonzero(risk[first] + 1 <= alpha * (m + 1) + 1e-9)
    if not len(allowed):
        return NOBODY
    return 0.0 if first[allowed[0]] == 0 else float(candidates[allowed[0]])


def smallest_sample(alpha: float) -> int:
    """Units from which some threshold can keep the risk: 1 / (m + 1) <= alpha."""
    return int(np.ceil(1 / alpha - 1 - 1e-9))
