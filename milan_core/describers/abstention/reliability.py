"""Measure confidences: calibration error, and risk at every coverage."""

from __future__ import annotations

import numpy as np

from milan_core.scoring.naming import separation

BINS = 10
COVERAGES = (0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)


def auroc(confidence: np.ndarray, right: np.ndarray) -> float:
    """Share of (right, wrong) pairs that the confidence orders rightly; NaN without both."""
    return separation(confidence, right)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins."""
    if not len(confidence):
        return float("nan")
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    gap = np.bincount(place, confidence - right, bins)
    return float(np.abs(gap[counts > 0]).sum() / len(confidence))


def accuracy_at(confidence: np.ndarray, right: np.ndarray, coverage: float) -> float:
    """Share right among the most confident `coverage` of units; equal confidences count partly."""
    if not len(confidence):
        return float("nan")
    wanted = max(1, round(coverage * len(confidence)))
    order = np.argsort(-confidence, kind="stable")
    values, hits = confidence[order], np.asarray(right, np.float64)[order]
    last = values[wanted - 1]
    above, equal = values > last, values == last
    share = (wanted - int(above.sum())) / int(equal.sum())
    return float((hits[above].sum() + share * hits[equal].sum()) / wanted)
