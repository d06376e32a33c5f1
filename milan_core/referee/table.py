"""Activation tables as the referee reads them: which images score, and which units can be scored.

The class is `milan_core.exemplars.table.ActivationTable`; the mining pass writes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.exemplars.table import ActivationTable, merge_tables, open_table
from milan_core.images.store import Dataset, open_dataset

__all__ = [
    "ActivationTable",
    "dead_units",
    "evenly",
    "merge_tables",
    "open_table",
    "open_with_images",
    "scored_images",
]

FEWEST = 500  # images from which single scores are printed
LEAST_SPREAD = 1e-12  # a unit whose values differ by less is constant
LEAST_SHARE = 1e-4  # a unit that is non-zero in fewer images is dead


def open_with_images(table: Path, images: Path) -> tuple[ActivationTable, Dataset]:
    """Open a table of a run and the data set that it was made from.

    Raises:
        UserError: for other images than those of the table.

    """
    opened, dataset = open_table(table), open_dataset(images)
    if opened.facts.dataset != dataset.fingerprint:
        raise UserError(
            f"{table} holds activations on other images than {images}; give the data set that it "
            "was made from"
        )
    return opened, dataset


def dead_units(values: np.ndarray) -> np.ndarray:
    """Units that cannot be scored: bool [units] of float [units, images]."""
    spread = values.max(1) - values.min(1)
    share = (values != 0).mean(1)
    return (spread <= LEAST_SPREAD) | (share < LEAST_SHARE)


def scored_images(table: ActivationTable, fewest: int = FEWEST) -> tuple[np.ndarray, bool]:
    """Positions of the images that score, and whether no describer has seen them.

    Held-out images where the table has some, else all of them.

    Args:
        table: of a network.
        fewest: images from which single scores are given.

    Raises:
        UserError: for fewer images.

    """
    positions = np.flatnonzero(table.heldout)
    fair = len(positions) > 0
    positions = positions if fair else np.arange(len(table.ids))
    if len(positions) < fewest:
        raise UserError(
            f"{len(positions)} images to score on, expected {fewest} or more: give more images "
            "(or allow_small, which prints intervals only)"
        )
    return positions, fair


def evenly(positions: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the positions, evenly over them: int64."""
    if len(positions) <= most:
        return positions
    return positions[np.arange(most) * len(positions) // most]
