"""Sparse linear explanations by exact least squares on a Gram matrix (S8 of the specification).

    a ~ b + sum_j w_j c_j,      at most five columns c_j, chosen one after the other

Activations and columns are whole numbers of 16 bits, so that every sum of products is exact in
float64 in whatever order it is added: the same words and weights come on every machine and for any
number of threads. The next column is the one that lowers the squared error most (ties: the smaller
index); the first must have a positive weight. All weights are fitted anew with each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = 2**16 - 1
MOST = 2**20  # images up to which sums of products are exact
RIDGE = 1e-6  # where columns are collinear, of the mean square of a standardized column


@dataclass(frozen=True)
class Moments:
    """Standardized second moments of columns and targets over the same images, float64.

    Attributes:
        gram: [T, T], correlations of columns; rows of 0 for columns that are constant.
        cross: [T, U], correlations of columns with targets.
        deviation: [T], of the columns in their own units.
        spread: [U], of the targets.

    """

    gram: np.ndarray
    cross: np.ndarray
    deviation: np.ndarray
    spread: np.ndarray


def whole_numbers(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Values from `low` to `high` as float64 whole numbers from 0 to 65,535."""
    width = np.where(high > low, high - low, 1).astype(np.float64)
    return np.rint((values.astype(np.float64) - low) * (LEVELS / width))


def moments(columns: np.ndarray, targets: np.ndarray, least: float = 1e-3) -> Moments:
    """Moments of presence float [n, T], 0 to 1, and of activations float [n, U].

    Columns whose deviation is below `least` are left out: no unit follows what is never there.

    Raises:
        ValueError: for more images than sums of products are exact for.

    """
    count = len(columns)
    if count > MOST:
        raise ValueError(f"{count} images; sums are exact for {MOST} at most")
    x = whole_numbers(columns, np.zeros(columns.shape[1]), np.ones(columns.shape[1]))
    low, high = targets.min(0), targets.max(0)
    y = whole_numbers(targets, low, high)
    sum_x, sum_y = x.sum(0), y.sum(0)
    gram = (x.T @ x - np.outer(sum_x, sum_x) / count) / count
    cross = (x.T @ y - np.outer(sum_x, sum_y) / count) / count
    square_y = (np.einsum("nu,nu->u", y, y) - sum_y * sum_y / count) / count
    deviation = np.sqrt(np.maximum(np.diag(gram), 0))
    spread = np.sqrt(np.maximum(square_y, 0))
    kept = deviation >= least * LEVELS
    scale = np.where(kept, deviation, np.inf)
    target = np.where(spread > 0, spread, np.inf)
    return Moments(
        gram / np.outer(scale, scale),
        cross / np.outer(scale, target),
        np.where(kept, deviation / LEVELS, np.inf),
        spread * (high - low) / LEVELS,
    )


@dataclass(frozen=True)
class Linear:
    """The explanation of one unit.

    Attributes:
        columns: int64 [k], in the order in which they were chosen.
        weights: float64 [k], of standardized columns for the standardized target.
        correlation: of the weighted sum with the target, on the same images.

    """

    columns: np.ndarray
    weights: np.ndarray
    correlation: float


def greedy(of: Moments, unit: int, most: int = 5, gain: float = 0.005) -> Linear:
    """Choose columns for one target until the correlation gains less than `gain`.

    Args:
        of: the moments.
        unit: number of the target.
        most: columns at most.
        gain: of correlation that a further column must bring.

    """
    cross = of.cross[:, unit]
    chosen: list[int] = []
    weights, reached = np.zeros(0), 0.0
    residual, left = cross.copy(), np.diag(of.gram).copy()
    basis: list[np.ndarray] = []  # rows of the Gram-Schmidt basis, over all columns
    for _ in range(most):
        able = left > RIDGE
        lowered = np.where(able, residual**2 / np.where(able, left, 1), -1.0)
        lowered[chosen] = -1.0
        if not chosen:
            lowered = np.where(residual > 0, lowered, -1.0)
        best = int(lowered.argmax())
        if lowered[best] <= 0:
            break
        trial = [*chosen, best]
        fitted = solve(of.gram[np.ix_(trial, trial)], cross[trial])
        explained = sum(w * c for w, c in zip(fitted.tolist(), cross[trial].tolist(), strict=True))
        correlation = max(explained, 0.0) ** 0.5
        if chosen and correlation < reached + gain:
            break
        chosen, weights, reached = trial, fitted, correlation
        row = of.gram[best] - sum((b[best] * b for b in basis), np.zeros_like(cross))
        row = row / np.sqrt(left[best])
        residual = residual - row * (residual[best] / np.sqrt(left[best]))
        left = left - row * row
        basis.append(row)
    return Linear(np.array(chosen, np.int64), weights, reached)


def solve(gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Weights of the least squares, by elimination in a fixed order; a ridge where it is singular.

    Args:
        gram: float64 [k, k], correlations of the columns.
        cross: float64 [k], their correlations with the target.

    """
    for ridge in (0.0, RIDGE):
        matrix = [[*map(float, row), float(value)] for row, value in zip(gram, cross, strict=True)]
        for place in range(len(matrix)):
            matrix[place][place] += ridge
        if (solved := _eliminated(matrix)) is not None:
            return np.array(solved)
    return np.zeros(len(cross))


def _eliminated(matrix: list[list[float]], least: float = 1e-9) -> list[float] | None:
    """The solution of symmetric equations [k, k + 1]; None where a pivot is below `least`."""
    size = len(matrix)
    for pivot in range(size):
        if matrix[pivot][pivot] < least:
            return None
        for row in range(pivot + 1, size):
            factor = matrix[row][pivot] / matrix[pivot][pivot]
            for column in range(pivot, size + 1):
                matrix[row][column] -= factor * matrix[pivot][column]
    solution = [0.0] * size
    for row in reversed(range(size)):
        value = matrix[row][size]
        for column in range(row + 1, size):
            value -= matrix[row][column] * solution[column]
        solution[row] = value / matrix[row][row]
    return solution
