"""Scene codes: what a scene shows in every cell of a coarse grid, as numbers.

A generator draws images from codes (`models.generator_mini`). Codes keep where things are and
nothing of how they look, so the masks of the scene are those of the image that is drawn.
"""

from __future__ import annotations

import numpy as np

from milan_core.core.errors import UserError
from milan_core.images.store import Dataset

GRID = 16  # cells a side


def scene_codes(dataset: Dataset, names: list[str], colours: list[str]) -> np.ndarray:
    """Codes of all scenes of a world: int16 (N, 2, GRID, GRID), numbers of names and colours.

    A cell shows the thing at its centre. `names` and `colours` are all that may occur, in the
    order that gives them their numbers; see `vocabulary`.
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
    """The name that a code stands for; all words are one thing, text."""
    return "text" if thing["kind"] == "text" else thing["name"]


def vocabulary(dataset: Dataset) -> tuple[list[str], list[str]]:
    """All names and colours of a world, sorted."""
    things = [thing for scene in dataset.scenes or [] for thing in scene]
    names = sorted({thing_name(thing) for thing in things})
    return names, sorted({thing["colour"] for thing in things})
