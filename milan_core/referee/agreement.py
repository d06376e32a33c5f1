"""Compare the columns of a judge with those of another judge, best the oracle.

No published score of descriptions reports the error of its own judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.referee.metrics import auc, correlation

BINS = 15


@dataclass(frozen=True)
class Agreement:
    """One judge against the truth, over images and texts.

    Attributes:
        texts: texts that are in some of the images, and not in all, by the truth.
        correlation: mean over texts of the correlation of the two columns.
        auc: mean over texts of the area under the ROC curve, truth at least one half.
        error: mean absolute difference.
        calibration: expected calibration error over `BINS` bins of the judge's value.
        bias: mean of the judge's value less that of the truth.

    """

    texts: int
    correlation: float
    auc: float
    error: float
    calibration: float
    bias: float


def agreement(ours: np.ndarray, truth: np.ndarray) -> Agreement:
    """Compare float [images, texts] of a judge with the truth; columns with NaN are left out."""
    there = ~(np.isnan(ours).any(0) | np.isnan(truth).any(0))
    there &= (truth >= 0.5).any(0) & (truth < 0.5).any(0)
    ours, truth = ours[:, there].astype(np.float64), truth[:, there].astype(np.float64)
    if not there.any():
        nan = float("nan")
        return Agreement(0, nan, nan, nan, nan, nan)
    areas = [auc(ours[:, k], truth[:, k] >= 0.5) for k in range(ours.shape[1])]
    return Agreement(
        int(there.sum()),
        float(np.nanmean(correlation(truth, ours))),
        float(np.mean(areas)),
        float(np.abs(ours - truth).mean()),
        calibration_error(ours.ravel(), truth.ravel()),
        float(ours.mean() - truth.mean()),
    )


def calibration_error(given: np.ndarray, truth: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: |mean given - mean truth| of each bin, by its share."""
    place = np.minimum((given * bins).astype(np.int64), bins - 1)
    sums = np.bincount(place, given, bins) - np.bincount(place, truth, bins)
    return float(np.abs(sums).sum() / len(given))
