"""The scores that are compared on the zoo: those of the referee, and one of twins.

Beside `referee.metrics.METRICS` those that the referee prints for comparison (`referee.further`):
detection, discrimination, CoSy without a generator. `twins` is the correlation of changes over
pairs of scenes that differ in one attribute.
"""

from __future__ import annotations

import numpy as np

from milan_core.referee.cosy import cosy
from milan_core.referee.detection import detection, trial
from milan_core.referee.metrics import METRICS, Pair, Scorer


def _detection(pair: Pair) -> float:
    images = trial(pair.a, 0)
    return float("nan") if images is None else detection(pair.c, images).accuracy


def _detection_auroc(pair: Pair) -> float:
    images = trial(pair.a, 0)
    return float("nan") if images is None else detection(pair.c, images).auroc


SCORERS: dict[str, Scorer] = {
    **METRICS,
    "cosy auc": lambda pair: cosy(pair.a, pair.c, 0).auc,
    "cosy mad": lambda pair: cosy(pair.a, pair.c, 0).mad,
    "detection": _detection,
    "detection auroc": _detection_auroc,
}
DISCRIMINATION, TWINS = "discrimination", "twins"
NAMES = (*SCORERS, DISCRIMINATION, TWINS)


def twin_correlation(a: np.ndarray, c: np.ndarray) -> float:
    """Correlation of changes a [pairs] of a unit with changes c [pairs] of a text's presence.

    Around 0, not around the means: no change says that nothing changes.
    """
    norm = np.linalg.norm(a) * np.linalg.norm(c)
    return float(a @ c / norm) if norm else 0.0
