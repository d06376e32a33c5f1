"""A control for a table of descriptions: the same network with random weights.

A unit follows color and contrast before it has learned anything, so some text of a long table
correlates with any unit. The best text of the table is chosen for every unit on half of the images
and scored on the other half, on the network and on one whose weights were drawn anew.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from milan_core.core.seeding import generator, seed_torch
from milan_core.exemplars.table import ActivationTable
from milan_core.networks.zoo import LoadedModel
from milan_core.referee.judge import Judge, JudgedImages, judged
from milan_core.referee.table import dead_units


def randomized(network: LoadedModel, seed: int) -> tuple[LoadedModel, float]:
    """A copy whose layers draw their weights anew, and the share of weights that were drawn.

    Layers without `reset_parameters` keep theirs.
    """
    import torch

    module = copy.deepcopy(network.module)
    drawn = 0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        seed_torch(seed, "random weights")
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
                drawn += sum(weight.numel() for weight in part.parameters(recurse=False))
    total = sum(weight.numel() for weight in module.parameters())
    return replace(network, module=module), drawn / total if total else 0.0


def best_of_texts(
    table: ActivationTable,
    positions: np.ndarray,
    images: JudgedImages,
    judge: Judge,
    texts: Sequence[str],
    seed: int,
    pool: str = "max",
) -> tuple[float, int]:
    """Mean correlation of each unit with its best text, and the units that have one.

    Args:
        table: activations.
        positions: int64 [n], columns that score.
        images: the same images.
        judge: says what they show.
        texts: all texts of the table, different ones.
        seed: of the two halves.
        pool: of the table.

    """
    order = generator(seed, "halves of the images", len(positions)).permutation(len(positions))
    halves = np.array_split(order, 2)
    values = np.concatenate([block for _, block in table.blocks(pool, positions)])
    alive = ~np.any([dead_units(values[:, half]) for half in halves], axis=0)
    values = values[alive]
    best = np.full(len(values), -np.inf)
    other = np.full(len(values), np.nan)
    for _, columns in judged(judge, images, texts):
        shown = columns[:, ~np.isnan(columns).any(0)]
        if not shown.shape[1]:
            continue
        first, second = (_correlations(values[:, half], shown[half]) for half in halves)
        place = first.argmax(1)
        rows = np.arange(len(values))
        better = first[rows, place] > best
        best[better] = first[rows, place][better]
        other[better] = second[rows, place][better]
    there = np.isfinite(other)
    return (float(other[there].mean()) if there.any() else float("nan")), int(there.sum())


def _correlations(a: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Correlations of rows float [units, n] and columns float [n, texts]; 0 if constant."""
    za = a.astype(np.float64) - a.mean(1, keepdims=True, dtype=np.float64)
    zc = c.astype(np.float64) - c.mean(0, dtype=np.float64)
    sizes = np.linalg.norm(za, axis=1)[:, None] * np.linalg.norm(zc, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sizes > 1e-12, (za @ zc) / sizes, 0.0)


def sentence(trained: tuple[float, int], random: tuple[float, int], share: float) -> str:
    """The control in words."""
    text = (
        f"The best text of this table for each unit, chosen on half of the images, correlates "
        f"{trained[0]:.3f} on the other half ({trained[1]} units); on the same network with random "
        f"weights {random[0]:.3f} ({random[1]} units): a unit follows that much before it has "
        "learned anything."
    )
    if share < 1:
        text += f" {100 * share:.0f} % of the weights were drawn anew; other layers cannot be."
    return text
