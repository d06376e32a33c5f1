"""Which axes of an output are places, seen from what changes where a quarter of an image changes.

Four images differ from the first in one quarter each. A place that belongs to a quarter changes
most when that quarter does; a channel sees all four alike.
"""

from __future__ import annotations

import torch

CLEAR = 0.5  # mean share of the strongest quarter from which places are told; chance is 0.25
MARGIN = 0.1  # between the share of an axis of places and of another axis
FEWEST = 16  # cells from which their places are judged, those of a map of 7 x 7
AGREE = 0.6  # share of the places that lie in the quarter to which they answer; chance is 0.25


def changes(rows: torch.Tensor) -> torch.Tensor:
    """float64 (4, ...): how much each value of images 1 to 4 differs from that of image 0."""
    values = rows[:5].double()
    return (values[1:] - values[:1]).abs().nan_to_num(0.0, 0.0, 0.0)


def share(differences: torch.Tensor, axes: tuple[int, ...]) -> float:
    """Mean share of the strongest quarter over the cells of some axes, 0.25 to 1; 0 if none.

    Args:
        differences: (4, ...) of `changes`.
        axes: of one image, 0 being the first after the image axis.

    """
    by_cell = _by_cell(differences, axes)
    total = by_cell.sum(0)
    alive = total > 1e-9 * total.max().clamp(min=1e-300)
    if not alive.any():
        return 0.0
    return float((by_cell.amax(0)[alive] / total[alive]).mean())


def _by_cell(differences: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    others = [i + 1 for i in range(differences.ndim - 1) if i not in axes]
    kept = differences.mean(others) if others else differences
    return kept.flatten(1)


def in_place(maps: torch.Tensor) -> float | None:
    """Share of the cells of (5, C, h, w) maps that answer to the quarter that they lie in.

    Cells that answer to no quarter do not count.

    Cells nearer to a middle line than to the edge are left out, as they may see both sides. None
    where the maps are too small, or no cell answers to one quarter more than to the others, as
    behind attention to everything.
    """
    height, width = maps.shape[2:]
    rows, columns = _halves(height), _halves(width)
    if int((rows >= 0).sum()) * int((columns >= 0).sum()) < FEWEST:
        return None
    by_cell = changes(maps).mean(1).cpu()  # (4, h, w)
    by_cell = by_cell / by_cell.mean((1, 2), keepdim=True).clamp(min=1e-300)
    by_cell = by_cell[:, rows >= 0][:, :, columns >= 0]
    if share(by_cell, (0, 1)) < CLEAR:
        return None
    expected = 2 * rows[rows >= 0][:, None] + columns[columns >= 0][None, :]
    total = by_cell.sum(0)
    alive = total > 1e-9 * total.max()  # a cell that answers to nothing has no place
    return float((by_cell.argmax(0) == expected)[alive].double().mean())


def _halves(length: int) -> torch.Tensor:
    """0 for cells of the first quarter of an axis, 1 for those of the last, -1 between."""
    middle = (torch.arange(length) + 0.5) / length
    halves = (middle > 0.5).long()
    halves[(middle - 0.5).abs() < 0.25 - 1e-6] = -1
    return halves
