"""Check how tokens lie on the image: the grid of patches, and the places of class tokens."""

from __future__ import annotations

import math

import torch

from milan_core.core.errors import UserError
from milan_core.networks.options import Tokens
from milan_core.networks.probe.places import CLEAR, changes, in_place

BETTER = 0.02  # share of the cells in their place that another token left out must win


def check_grid(layer: str, count: int, form: Tokens, sides: tuple[int, int] | None) -> None:
    """Refuse a square grid for rectangular images where another grid has their proportions.

    Args:
        layer: its name.
        count: tokens of an image, with class tokens.
        form: of the tokens.
        sides: height and width of the images; None for inputs of another form.

    Raises:
        UserError: with the grid of the images' proportions.

    """
    if sides is None or sides[0] == sides[1] or form.grid:
        return
    side = math.isqrt(max(count - (form.class_tokens or 0), 0))
    patches, shape = side * side, sides[0] / sides[1]
    grids = [(rows, patches // rows) for rows in range(1, patches + 1) if patches % rows == 0]
    if not grids:
        return
    rows, columns = min(grids, key=lambda grid: abs(math.log(grid[0] / grid[1] / shape)))
    if rows != side:
        raise UserError(
            f"layer {layer!r} gives {count} tokens of images of {sides[0]} x {sides[1]} pixels: a "
            f"square of {side} x {side} patches has other proportions; set `tokens: {{grid: [rows, "
            f"columns]}}`, such as [{rows}, {columns}]"
        )


def check_class_tokens(layer: str, tokens: torch.Tensor, grid: tuple[int, int]) -> None:
    """Refuse class tokens that do not come first, where the places of the patches show it.

    Args:
        layer: its name.
        tokens: (5, T, C), the output for the images of the third pass.
        grid: rows and columns of the patches, fewer than T.

    Raises:
        UserError: with what to do.

    """
    total, patches = tokens.shape[1], grid[0] * grid[1]
    extra = total - patches
    usual = in_place(_maps(tokens, 0, grid))
    if usual is None:
        return
    answers = _answers(tokens)
    found = []
    for first in (patches, patches // 2):
        places = in_place(_maps(tokens, first, grid)) or 0.0
        less = float(answers[first : first + extra].max()) < float(answers[:extra].min())
        if less and places > usual + BETTER:
            found.append((places, first))
    if not found or float(answers[:extra].min()) < CLEAR:
        return
    where = max(found)[1]
    fix = (
        "set `tokens: {spatialise: legacy}`, which leaves out the last"
        if where == patches
        else "choose a layer that holds the patches alone, such as an nn.Identity that they pass"
    )
    raise UserError(
        f"layer {layer!r} has its class token at place {where} of {total} tokens, counted from 0, "
        f"and the first is a patch, so that its maps would be shifted; {fix}"
    )


def _maps(tokens: torch.Tensor, first: int, grid: tuple[int, int]) -> torch.Tensor:
    """(5, C, h, w) of the tokens without those that begin at `first`."""
    extra = tokens.shape[1] - grid[0] * grid[1]
    patches = torch.cat([tokens[:, :first], tokens[:, first + extra :]], 1)
    return patches.transpose(1, 2).reshape(len(tokens), -1, *grid)


def _answers(tokens: torch.Tensor) -> torch.Tensor:
    """float64 (T,): share of the quarter that each token answers to most; 0 for none."""
    by_token = changes(tokens).mean(2)  # (4, T)
    by_token = by_token / by_token.mean(1, keepdim=True).clamp(min=1e-300)
    total = by_token.sum(0)
    alive = total > 1e-9 * total.max().clamp(min=1e-300)
    return torch.where(alive, by_token.amax(0) / total.clamp(min=1e-300), 0.0)
