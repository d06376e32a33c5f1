"""Sanity tests at the published frequencies of concepts, beside the published outcome.

NeuronEval (ICML 2025) gives the percent of units that pass each test, measured and in a theoretical
model of units that are exactly their concept, with concepts of five frequencies.
"""

from __future__ import annotations

import numpy as np

from milan_core.core.seeding import generator
from milan_core.referee.metrics import METRICS, Pair
from milan_core.referee.sanity import Verdict, sanity

FREQUENCIES = (0.499, 0.1, 0.01, 0.001, 0.0001)
IMAGES = 20_000

# (missing, extra) labels: percent of units that pass, measured and in the theoretical model.
PUBLISHED: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "correlation": ((99.4, 99.9), (100, 100)),
    "auprc": ((95.6, 99.5), (100, 100)),
    "f1": ((93.7, 99.8), (100, 100)),
    "iou": ((93.6, 99.8), (100, 100)),
    "cosine": ((99.5, 99.3), (100, 100)),
    "inverse auprc": ((99.2, 95.6), (100, 89.5)),
    "recall": ((98.7, 0), (100, 0)),
    "precision": ((45.7, 99.8), (0, 100)),
    "accuracy": ((23.8, 70.4), (60, 69.7)),
    "balanced accuracy": ((98.7, 53.7), (100, 60)),
    "inverse balanced accuracy": ((64.2, 99.5), (60, 100)),
    "auc": ((95.0, 59.2), (100, 60)),
    "inverse auc": ((52.8, 100), (60, 100)),
    "mad": ((59.8, 99.3), (60, 100)),
    "wpmi": ((95.9, 58.8), (100, 100)),
    "spearman": ((64.1, 49.2), (67.2, 44.1)),
}


def verdicts_at_frequencies(
    seed: int, images: int = IMAGES, draws: int = 20, frequencies: tuple[float, ...] = FREQUENCIES
) -> list[Verdict]:
    """Verdicts of every metric over units that are exactly concepts of these frequencies."""
    pairs = []
    for frequency in frequencies:
        rng = generator(seed, "zoo frequency", frequency)
        there = np.zeros(images, bool)
        there[rng.choice(images, max(1, round(frequency * images)), replace=False)] = True
        pairs.append(Pair(there.astype(np.float64), there.astype(np.float64), there))
    return sanity(pairs, list(METRICS), seed, draws)
