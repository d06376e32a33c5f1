"""Detection, fuzzing and discrimination of pictures: does a text find the unit's images? (S4)

*Detection*: images on which the unit fires, from all of its firing range, beside images on which it
does not; the judge says which of them show the text. Images between the level and the median are
neither, and are left out. *Discrimination*: the sheets of the unit and of its nearest unit, and the
text; which sheet is meant? Detection cannot see that two units share a text, this can.

Printed for comparison: correlation and AUPRC lead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator
from milan_core.referee.agreement import calibration_error
from milan_core.referee.metrics import auc

LEVEL = 0.95  # quantile of a unit's activations above which it fires
DECILES, PER_DECILE = 10, 5
RANDOM, HARD = 25, 25  # images on which the unit does not fire
SHEET = 15  # images of a sheet


@dataclass(frozen=True, eq=False)
class Trial:
    """Images that a judge is asked about for one unit.

    Attributes:
        firing: int64, positions of images from every decile of the firing range.
        quiet: int64, positions of images at or below the unit's median.
        between: share of all images that are neither firing nor quiet.

    """

    firing: np.ndarray
    quiet: np.ndarray
    between: float


@dataclass(frozen=True)
class Detection:
    """Score how well answers tell firing images from others.

    Attributes:
        accuracy: balanced, at one half; chance 0.5. NaN where one side has no answer.
        auroc: of the answers; chance 0.5.
        calibration: expected calibration error of the answers.
        unanswered: share without an answer (NaN), which never counts as wrong.

    """

    accuracy: float
    auroc: float
    calibration: float
    unanswered: float


def trial(
    a: np.ndarray, seed: int, *names: object, vectors: np.ndarray | None = None
) -> Trial | None:
    """Images for one unit; None where it does not rise above its median.

    Args:
        a: float [n], activations.
        seed: of the draws.
        *names: of the unit, so that units have draws of their own.
        vectors: float [n, d], unit vectors of the images: half of the quiet images are then those
            nearest to the firing ones; without, all are drawn.

    """
    rng = generator(seed, "detection", *names)
    level, median = np.quantile(a, LEVEL), np.median(a)
    fires = np.flatnonzero((a >= level) & (a > median))
    quiet = np.flatnonzero(a <= median)
    if not len(fires):
        return None
    ranked = fires[np.argsort(-a[fires], kind="stable")]
    firing = [
        rng.permutation(part)[:PER_DECILE] for part in np.array_split(ranked, DECILES) if len(part)
    ]
    chosen = np.concatenate(firing)
    hard = np.zeros(0, np.int64)
    if vectors is not None:
        near = vectors[quiet] @ vectors[chosen].mean(0)
        hard = quiet[np.argsort(-near, kind="stable")[:HARD]]
    rest = np.setdiff1d(quiet, hard)
    drawn = rng.permutation(rest)[: RANDOM + HARD - len(hard)]
    between = 1 - (len(fires) + len(quiet)) / len(a)
    return Trial(np.sort(chosen), np.sort(np.concatenate([hard, drawn])), float(between))


def detect(answers: np.ndarray, fires: np.ndarray) -> Detection:
    """Compare answers float [m] in [0, 1], NaN where there is none, with bool [m]."""
    answered = ~np.isnan(answers)
    p, b = answers[answered].astype(np.float64), fires[answered]
    unanswered = float(1 - answered.mean()) if len(answers) else float("nan")
    if not b.any() or b.all():
        nan = float("nan")
        return Detection(nan, nan, nan, unanswered)
    accuracy = (float((p[b] >= 0.5).mean()) + float((p[~b] < 0.5).mean())) / 2
    return Detection(accuracy, auc(p, b), calibration_error(p, b.astype(np.float64)), unanswered)


def detection(c: np.ndarray, images: Trial) -> Detection:
    """Detection by presences float [n] of the text in all images."""
    places = np.concatenate([images.firing, images.quiet])
    return detect(c[places], np.arange(len(places)) < len(images.firing))


def nearest_units(a: np.ndarray) -> np.ndarray:
    """The unit of the layer whose activations correlate most with each unit's: int64 [units].

    -1 for constant units, and where there is no other; equal correlations go to the lower number.

    Args:
        a: float [units, n] of one layer.

    """
    z = a.astype(np.float64) - a.mean(1, keepdims=True)
    norms = np.linalg.norm(z, axis=1)
    alive = norms > 1e-12 * np.maximum(np.abs(a).max(1), 1e-300) * np.sqrt(a.shape[1])
    z[alive] /= norms[alive, None]
    near = z @ z.T
    near[:, ~alive] = -np.inf
    np.fill_diagonal(near, -np.inf)
    found = near.argmax(1)
    there = alive & np.isfinite(near.max(1))
    return np.where(there, found, -1)


def sheets(a: np.ndarray, count: int = SHEET) -> np.ndarray:
    """The strongest images of each unit: int64 [units, count], equal ones by lower position."""
    return np.argsort(-a, axis=1, kind="stable")[:, :count]


def sheets_apart(ours: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The images int64 that are on one of two sheets only; those on both tell nothing."""
    return np.setdiff1d(ours, others), np.setdiff1d(others, ours)


def discrimination(c: np.ndarray, one: np.ndarray, two: np.ndarray) -> float:
    """1 where the text is more present in the unit's sheet than in the other's, 0.5 for a tie.

    Args:
        c: float [n], presence of the text in every image.
        one: int64, images of the unit's sheet alone (`sheets_apart`).
        two: int64, those of its nearest unit's alone.

    """
    if not len(one) or not len(two):
        return 0.5
    difference = float(c[one].mean()) - float(c[two].mean())
    return 0.5 if abs(difference) <= 1e-9 else float(difference > 0)
