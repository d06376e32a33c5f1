"""Scores of one description of one unit: pooled activations against the presence of the concept.

Notation (Oikarinen et al., ICML 2025, "NeuronEval", section 3):

    a   float [n]   pooled activation of the unit on each test image
    c   float [n]   presence of the described concept in each image, 0 to 1, from a judge
    b   bool  [n]   the unit fires: a is among its ceil(alpha n) largest values
    z   bool  [n]   the concept is there: c >= 1/2

The unit's firing plays the truth and the concept plays the prediction, so `recall` and `precision`
are the other way round from what many readers expect; the published names are kept. Correlation and
AUPRC lead; the others are printed for comparison with published tables, since most of them fail a
sanity test (`milan_core.referee.sanity`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Scorer = Callable[["Pair"], float]
_OF_UNIT, _OF_CONCEPT = ("ranks_a", "falling_a"), ("ranks_c", "falling_c")


@dataclass(frozen=True, eq=False)
class Pair:
    """One unit and one description on the same images; NaN scores are undefined, never 0."""

    a: np.ndarray  # float64 [n]
    c: np.ndarray  # float64 [n]
    b: np.ndarray  # bool [n]

    @property
    def z(self) -> np.ndarray:
        """Whether the concept is there: bool [n]."""
        return self.c >= 0.5

    @functools.cached_property
    def ranks_a(self) -> np.ndarray:
        """Mid-ranks of the activations: float64 [n]."""
        return mid_ranks(self.a)

    @functools.cached_property
    def ranks_c(self) -> np.ndarray:
        """Mid-ranks of the presence: float64 [n]."""
        return mid_ranks(self.c)

    @functools.cached_property
    def falling_a(self) -> np.ndarray:
        """Images in falling order of the activations: int64 [n]."""
        return np.argsort(-self.a, kind="stable")

    @functools.cached_property
    def falling_c(self) -> np.ndarray:
        """Images in falling order of the presence: int64 [n]."""
        return np.argsort(-self.c, kind="stable")

    @functools.cached_property
    def counts(self) -> tuple[int, int, int, int]:
        """Images where both are there, neither is, the unit fires, the concept is there."""
        z = self.z
        return int((self.b & z).sum()), int((~self.b & ~z).sum()), int(self.b.sum()), int(z.sum())

    def sharing(self, unit: Pair | None, concept: Pair | None) -> Pair:
        """Take the orders that pairs of the same unit and the same concept have; returns itself."""
        for other, names in ((unit, _OF_UNIT), (concept, _OF_CONCEPT)):
            if other is not None:
                vars(self).update(
                    (name, vars(other)[name]) for name in names if name in vars(other)
                )
        return self

    def with_presence(self, c: np.ndarray) -> Pair:
        """The same unit with another presence of the concept."""
        return Pair(self.a, c, self.b).sharing(self, None)


def firing(a: np.ndarray, alpha: float) -> np.ndarray:
    """Images on which each unit fires: bool, as `a` float [n] or [n, units].

    The threshold is the ceil(alpha n)-th largest value; values equal to it fire as well, unless it
    is the smallest value: a unit that rests at zero in most images fires where it is above zero.
    """
    n = len(a)
    rank = min(max(rank_of(alpha, n), 1), n)
    threshold = np.partition(a, n - rank, axis=0)[n - rank]
    return np.where(threshold > a.min(axis=0), a >= threshold, a > threshold)


def rank_of(share: float, n: int) -> int:
    """The smallest whole number that is a share of n or more: .07 of 100 are 7.

    In binary fractions .07 times 100 is a little more, of which the next whole number is 8.
    """
    return math.ceil(share * n - 1e-9)


def correlation(a: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Pearson correlation of columns: float64 [units] of float [n, units] (or [n] twice).

    A constant unit has NaN; a constant prediction has 0: it predicts nothing.
    """
    a, c = (np.asarray(x, np.float64) for x in (a, c))
    da, dc = a - a.mean(0), c - c.mean(0)
    va, vc = (da * da).sum(0), (dc * dc).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (da * dc).sum(0) / np.sqrt(va * vc)
    r = np.where(_constant(c, vc), 0.0, r)
    return np.clip(np.where(_constant(a, va), np.nan, r), -1.0, 1.0)


def _constant(x: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Columns whose variation is rounding at most."""
    scale = np.abs(x).max(0) if len(x) else np.zeros(x.shape[1:])
    return variance <= len(x) * (1e-12 * np.maximum(scale, 1e-300)) ** 2


def mid_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values at the mean of theirs: float64 [n]; all NaN where one is."""
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: np.ndarray = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve by mid-ranks (Mann-Whitney): equal scores count one half."""
    return _rank_auc(mid_ranks(score), label)


def _rank_auc(ranks: np.ndarray, label: np.ndarray) -> float:
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return float("nan")
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(
    score: np.ndarray, label: np.ndarray, order: np.ndarray | None = None
) -> float:
    """Area under precision and recall; images of equal score enter together.

    `order` int64 [n] has the images in falling order of the score; None: made here.
    """
    positives = int(label.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-score, kind="stable") if order is None else order
    hits = np.cumsum(label[order])
    last = np.append(np.diff(score[order]) != 0, True)  # the end of each group of equal scores
    ends = np.flatnonzero(last)
    gained = np.diff(np.append(0, hits[ends]))
    return float((gained * hits[ends] / (ends + 1)).sum() / positives)


def lift(value: float, share: float) -> float:
    """Average precision above chance: 0 is chance (the share of positives), 1 is perfect."""
    return (value - share) / (1 - share) if share < 1 else float("nan")


def auprc_lift(pair: Pair) -> float:
    """Lift of the average precision of the presence for the unit's firing."""
    return lift(average_precision(pair.c, pair.b, pair.falling_c), float(pair.b.mean()))


def cosy_mad(control: np.ndarray, concept: np.ndarray) -> float:
    """MAD of CoSy: mean activation on the concept's images above that on control images.

    In standard deviations (n - 1) of the control; 0 where the control is constant.
    """
    deviation = float(np.std(control, ddof=1)) if len(control) > 1 else 0.0
    return float((concept.mean() - control.mean()) / deviation) if deviation else 0.0


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _balanced(pair: Pair) -> float:
    both, neither, fires, _ = pair.counts
    return (_ratio(both, fires) + _ratio(neither, len(pair.a) - fires)) / 2


def _inverse_balanced(pair: Pair) -> float:
    both, neither, _, there = pair.counts
    return (_ratio(both, there) + _ratio(neither, len(pair.a) - there)) / 2


def _f1(pair: Pair) -> float:
    both, _, fires, there = pair.counts
    return _ratio(2 * both, fires + there)


def _iou(pair: Pair) -> float:
    both, _, fires, there = pair.counts
    return _ratio(both, fires + there - both)


def _cosine(pair: Pair) -> float:
    return _ratio(float(pair.a @ pair.c), float(np.linalg.norm(pair.a) * np.linalg.norm(pair.c)))


def _spearman(pair: Pair) -> float:
    return float(correlation(pair.ranks_a, pair.ranks_c))


def _wpmi(pair: Pair) -> float:
    """Weighted pointwise mutual information, lambda 1 (NeuronEval, table 1)."""
    c = np.clip(pair.c, 1e-8, None)
    return float(np.log(c[pair.b]).mean() - np.log(c.mean())) if pair.b.any() else float("nan")


def _mad(pair: Pair) -> float:
    z = pair.z
    return float(pair.a[z].mean() - pair.a[~z].mean()) if 0 < z.sum() < len(z) else float("nan")


METRICS: dict[str, Scorer] = {
    "correlation": lambda pair: float(correlation(pair.a, pair.c)),
    "auprc": auprc_lift,
    "f1": _f1,
    "iou": _iou,
    "cosine": _cosine,
    "inverse auprc": lambda pair: average_precision(pair.a, pair.z, pair.falling_a),
    "recall": lambda pair: _ratio(pair.counts[0], pair.counts[2]),
    "precision": lambda pair: _ratio(pair.counts[0], pair.counts[3]),
    "accuracy": lambda pair: _ratio(sum(pair.counts[:2]), len(pair.a)),
    "balanced accuracy": _balanced,
    "inverse balanced accuracy": _inverse_balanced,
    "auc": lambda pair: _rank_auc(pair.ranks_c, pair.b),
    "inverse auc": lambda pair: _rank_auc(pair.ranks_a, pair.z),
    "mad": _mad,
    "wpmi": _wpmi,
    "spearman": _spearman,
}
HEADLINE = ("correlation", "auprc")
