"""The probability that a description is right: a logistic regression on a few features (S11.3).

Newton's method in float64 on standardized features; the ridge makes the minimum unique and finite,
so the result depends on the data alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RIDGE = 3.0
"""Half of it times the squared length of the weights is added to the loss; not of the intercept."""
ROUNDS = 100
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Confidence:
    """P(right) = sigmoid(intercept + sum of weight (feature - mean) / deviation).

    Attributes:
        mean, deviation, weights: float64 [features]; a feature that is absent (NaN) counts as its
            mean.
        intercept: at the mean of all features.

    """

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    intercept: float

    def of(self, features: np.ndarray) -> np.ndarray:
        """P(right) of each row: float64 [n] of float [n, features]."""
        return sigmoid(self.log_odds(features))

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """Log odds of being right: float64 [n] of float [n, features]."""
        filled = np.where(np.isfinite(features), features, self.mean)
        return (filled - self.mean) / self.deviation @ self.weights + self.intercept


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def fit_confidence(features: np.ndarray, right: np.ndarray, ridge: float = RIDGE) -> Confidence:
    """The regression of right (1) and wrong (0) descriptions on their features.

    Args:
        features: float [n, k]; absent ones are NaN and count as the mean of the others.
        right: float [n], both values at least once.
        ridge: of the standardized features.

    """
    present = np.isfinite(features)
    count = np.maximum(present.sum(0), 1)
    mean = np.where(present, features, 0).sum(0) / count
    filled = np.where(present, features, mean).astype(np.float64)
    deviation = filled.std(0)
    deviation = np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, 1.0)
    x = np.c_[(filled - mean) / deviation, np.ones(len(filled))]
    weights = _newton(x, np.asarray(right, np.float64), ridge)
    return Confidence(mean, deviation, weights[:-1], float(weights[-1]))


def _newton(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """Minimum of the sum of log losses plus the ridge; float64 [k + 1], the intercept last."""
    penalty = np.append(np.full(x.shape[1] - 1, ridge), 0.0)
    w = np.zeros(x.shape[1])
    for _ in range(ROUNDS):
        p = sigmoid(x @ w)
        slope = x.T @ (p - y) + penalty * w
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        curve[-1, -1] += 1e-12  # all probabilities at 0 or 1
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while _loss(x, y, penalty, w - size * step) > _loss(x, y, penalty, w) and size > 1e-6:
            size /= 2
        w = w - size * step
        if np.abs(step).max() < TOLERANCE:
            break
    return w


def _loss(x: np.ndarray, y: np.ndarray, penalty: np.ndarray, w: np.ndarray) -> float:
    margin = x @ w
    losses = np.logaddexp(0, margin) - y * margin
    return float(losses.sum() + (penalty * w * w).sum() / 2)
