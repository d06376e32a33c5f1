"""CoSy's AUC and MAD without a generator: real images that a judge takes for the concept (S5).

CoSy draws images of a text and asks whether the unit prefers them to control images. Here the
concept's images are those of the test set that a judge rates highest; values from different sources
of images are not comparable. Printed for comparison: both fail a sanity test.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator
from milan_core.referee.metrics import auc, cosy_mad

CONCEPT, CONTROL = 50, 500  # images
PRESENT = 0.5  # presence from which an image shows the concept
FEWEST = 10  # images below which there is no score
SOURCE = "retrieval"


@dataclass(frozen=True)
class Cosy:
    """One text and unit; NaN where the concept is not in the pool.

    Attributes:
        auc: that an image of the concept drives the unit more than a control image; chance 0.5.
        mad: difference of means in standard deviations of the control.
        images: of the concept that remained.

    """

    auc: float
    mad: float
    images: int


def concept_images(c: np.ndarray) -> np.ndarray:
    """At most `CONCEPT` images that show the text most: int64; equal ones by lower position."""
    order = np.argsort(-c, kind="stable")[:CONCEPT]
    return order[c[order] >= PRESENT]


def control_images(concept: np.ndarray, images: int, seed: int) -> np.ndarray:
    """`CONTROL` random images that are not of the concept: int64, the same for every text."""
    order, taken = _control_order(images, seed), np.zeros(images, bool)
    taken[concept] = True
    return np.sort(order[~taken[order]][:CONTROL])


@functools.lru_cache(4)
def _control_order(images: int, seed: int) -> np.ndarray:
    """All images in random order: int64, for reading."""
    order = generator(seed, "cosy control", images).permutation(images)
    order.setflags(write=False)
    return order


def cosy(a: np.ndarray, c: np.ndarray, seed: int) -> Cosy:
    """AUC and MAD of activations float [n] for the presence float [n] of a text."""
    concept = concept_images(c)
    control = control_images(concept, len(a), seed)
    if len(concept) < FEWEST or not len(control):
        return Cosy(float("nan"), float("nan"), len(concept))
    values = np.concatenate([a[concept], a[control]]).astype(np.float64)
    label = np.arange(len(values)) < len(concept)
    return Cosy(auc(values, label), cosy_mad(values[~label], values[label]), len(concept))


def percentile(value: float, null: Sequence[float]) -> float:
    """Share of the null's values below `value`, equal ones one half; NaN without a null.

    The null holds the same statistic for texts of other units of the layer.
    """
    values = np.asarray(null, np.float64)
    values = values[np.isfinite(values)]
    if not len(values) or not np.isfinite(value):
        return float("nan")
    return float(((values < value).sum() + 0.5 * (values == value).sum()) / len(values))
