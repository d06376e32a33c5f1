"""Scene codes: name and color of the thing in every cell of a coarse grid, as numbers.

A generator draws images from codes (`networks.minis.generator`). Codes hold positions but no looks,
so the masks of the scene are those of the drawn image.
"""

from __future__ import annotations

import numpy as np

from milan_core.core.errors import UserError
from milan_core.images.store import Dataset

GRID = 16  # cells per side


def scene_codes(dataset: Dataset, names: list[str], colours: list[str]) -> np.ndarray:
    """Codes of all scenes of a world: int16 (N, 2, GRID, GRID), numbers of names and colors.

    A cell holds the thing at its center. Numbers are positions in `names` and `colours`, see
    `vocabulary`.

    Raises:
        UserError: for a data set without scenes, and a thing that the generator does not know.

    """
    if dataset.instances is None or dataset.scenes is None:
        raise UserError(f"data set {dataset.name!r} has no scenes, so nothing to draw from")
    name_of = {name: number for number, name in enumerate(names)}
    colour_of = {colour: number for number, colour in enumerate(colours)}
    step = dataset.instances.shape[1] // GRID
    cells = dataset.instances[:, step // 2 :: step, step // 2 :: step][:, :GRID, :GRID]
    codes = np.empty((len(dataset), 2, GRID, GRID), np.int16)
    try:
        for row, scene in enumerate(dataset.scenes):
            things = [(name_of[thing_name(thing)], colour_of[thing["colour"]]) for thing in scene]
            codes[row] = np.array(things, np.int16).T[:, cells[row]]
    except KeyError as error:
        message = f"data set {dataset.name!r}: {error} is unknown to the generator; train it again"
        raise UserError(message) from None
    return codes


def thing_name(thing: dict[str, str]) -> str:
    """The name of a thing in codes; every written word is `text`."""
    return "text" if thing["kind"] == "text" else thing["name"]


def vocabulary(dataset: Dataset) -> tuple[list[str], list[str]]:
    """All names and colors of a world, sorted."""
    things = [thing for scene in dataset.scenes or [] for thing in scene]
    names = sorted({thing_name(thing) for thing in things})
    return names, sorted({thing["colour"] for thing in things})
