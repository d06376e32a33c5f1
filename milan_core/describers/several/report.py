"""Score several labels of a unit: shares of its activation, correlations.

Labels are chosen on some images and judged on others. The list is a linear explanation (S8), its
weights by exact least squares on the images that chose the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.describers.several.choosing import union
from milan_core.referee.metrics import correlation

RIDGE = 1e-6  # of the normal equations, so that columns may be collinear
SEEN = 0.5  # judged presence from which an image shows a label


@dataclass(frozen=True)
class LabelFigures:
    """Figures of the labels of one unit.

    Attributes:
        weights: float64 [labels], of the list.
        shares: float64 [labels], of the activation above its minimum, on images with the label.
        alone: float64 [labels], correlation of each label.
        together: correlation of the weighted list.
        covered: share of the activation on images that show any label.
        apart: 1 - mean correlation of the labels' columns; NaN for one label (polysemanticity).

    """

    weights: np.ndarray
    shares: np.ndarray
    alone: np.ndarray
    together: float
    covered: float
    apart: float

    @property
    def mean_alone(self) -> float:
        """Mean of the labels' own correlations; compare this, not the best, with a single text."""
        return float(self.alone.mean())


def least_squares(a: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Weights float64 [labels] of a list, exactly; an intercept is fitted and left out."""
    x = np.asarray(columns, np.float64)
    x = x - x.mean(0)
    gram = x.T @ x
    gram[np.diag_indices(len(gram))] *= 1 + RIDGE
    gram[np.diag_indices(len(gram))] += RIDGE
    return np.asarray(np.linalg.solve(gram, x.T @ (np.asarray(a, np.float64) - np.mean(a))))


def label_figures(
    chosen: tuple[np.ndarray, np.ndarray], judged: tuple[np.ndarray, np.ndarray]
) -> LabelFigures:
    """Figures of labels on the images that judge them.

    Args:
        chosen: a float [n], columns float [n, labels] on the images that chose the labels.
        judged: the same on other images.

    """
    weights = least_squares(*chosen)
    a, columns = (np.asarray(part, np.float64) for part in judged)
    count = columns.shape[1]
    mass = a - a.min()
    total = mass.sum()
    shown = columns >= SEEN
    shares = mass @ shown / total if total else np.zeros(count)
    anywhere = union(columns) >= SEEN
    both = np.atleast_2d(np.corrcoef(columns.T))
    pairs = both[np.triu_indices(count, 1)]
    return LabelFigures(
        weights=weights,
        shares=shares,
        alone=correlation(np.repeat(a[:, None], count, 1), columns),
        together=float(correlation(a, columns @ weights)),
        covered=float(mass[anywhere].sum() / total) if total else 0.0,
        apart=float(1 - np.mean(np.nan_to_num(pairs))) if len(pairs) else float("nan"),
    )
