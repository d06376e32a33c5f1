"""The scores that are compared on the zoo: those of the referee, and protocols of papers beside.

Beside `referee.metrics.METRICS`:

    cosy auc, cosy mad   CoSy without a generator (CoSy, NeurIPS 2024): activations on the 50 images
                         with the highest judged presence (at least 1/2) against all others
    detection            balanced accuracy of the judge at 1/2 on 50 firing and 50 silent images
    twins                correlation of changes over pairs of scenes that differ in one attribute
"""

from __future__ import annotations

import numpy as np

from milan_core.referee.metrics import METRICS, Pair, Scorer, auc, cosy_mad

SHOWN = 50  # images of a class
FEWEST = 10


def _cosy(pair: Pair) -> np.ndarray | None:
    """Images that stand for the concept: bool [n]; None for too few."""
    order = np.argsort(-pair.c, kind="stable")[:SHOWN]
    chosen = order[pair.c[order] >= 0.5]
    if len(chosen) < FEWEST or len(chosen) == len(pair.c):
        return None
    concept = np.zeros(len(pair.c), bool)
    concept[chosen] = True
    return concept


def _cosy_auc(pair: Pair) -> float:
    concept = _cosy(pair)
    return float("nan") if concept is None else auc(pair.a, concept)


def _cosy_mad(pair: Pair) -> float:
    concept = _cosy(pair)
    return float("nan") if concept is None else cosy_mad(pair.a[~concept], pair.a[concept])


def _spaced(places: np.ndarray) -> np.ndarray:
    """At most SHOWN of the places, evenly spaced."""
    step = max(1, len(places) // SHOWN)
    return places[::step][:SHOWN]


def _detection(pair: Pair) -> float:
    fires = _spaced(np.flatnonzero(pair.b))
    silent = _spaced(np.flatnonzero(~pair.b & (pair.a <= np.median(pair.a))))
    if not len(fires) or not len(silent):
        return float("nan")
    return float((pair.z[fires].mean() + 1 - pair.z[silent].mean()) / 2)


def twin_correlation(a: np.ndarray, c: np.ndarray) -> float:
    """Correlation of changes a [pairs] of a unit with changes c [pairs] of a text's presence.

    Around 0, not around the means: no change says that nothing changes.
    """
    norm = np.linalg.norm(a) * np.linalg.norm(c)
    return float(a @ c / norm) if norm else 0.0


SCORERS: dict[str, Scorer] = {
    **METRICS,
    "cosy auc": _cosy_auc,
    "cosy mad": _cosy_mad,
    "detection": _detection,
}
TWINS = "twins"
NAMES = (*SCORERS, TWINS)
