"""Would other images have chosen another text? Bootstraps of the images that chose (S11.2).

A describer that chooses by score(d) = mean over images of s_i v_i(d), plus a part that does not
depend on the images, chooses again on every resample. What is standardized stays standardized over
all images: a resample weighs them anew. The share of resamples that a text wins is a column of the
ranking; the stability of a description is the sum over all texts of its concept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.core.seeding import generator

RESAMPLES = 100
COVERED = 0.90
"""Share of the resamples whose winner is in the set of texts."""
STABLE = 0.5
"""Share below which the set is shown, not one text."""


def resample_counts(images: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Count each image in each resample: float64 [images, resamples]."""
    rng = generator(seed, "bootstrap of choosing images", images)
    shares = np.full(images, 1 / images)
    return rng.multinomial(images, shares, resamples).T.astype(np.float64)


def wins(
    signal: np.ndarray, presence: np.ndarray, offsets: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Share of the resamples in which each text has the highest score: float64 [texts].

    Args:
        signal: float [n], what the unit did on each image, as the describer weighs it.
        presence: float [n, texts], what each text says of each image, as it weighs it.
        offsets: float [texts], the part of the score that does not depend on the images.
        counts: float [n, resamples] (`resample_counts`).

    """
    scores = (signal[:, None] * presence).T @ counts / len(signal) + offsets[:, None]
    return np.bincount(scores.argmax(0), minlength=len(offsets)) / counts.shape[1]


def covering(shares: Sequence[float], covered: float = COVERED) -> tuple[int, ...]:
    """The most frequent texts whose shares add up to `covered`, ties: the first; none without."""
    kept: list[int] = []
    for text in sorted(range(len(shares)), key=lambda one: (-shares[one], one)):
        if shares[text] <= 0 or sum(shares[one] for one in kept) >= covered - 1e-9:
            break
        kept.append(text)
    return tuple(kept)
