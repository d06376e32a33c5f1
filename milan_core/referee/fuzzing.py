"""Fuzzing for pictures: is the marked part the one that fires? (S4)

A judge sees an image that is dim outside an outline: that of the unit's own mask, or the same
outline on an image on which the unit does not fire. A text that names what is inside tells the two
apart; chance 0.5. Printed for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import Dataset
from milan_core.referee.detection import Detection, detect
from milan_core.referee.judge import Judge, JudgedImages
from milan_core.referee.score import Bench
from milan_core.referee.scored import Explanation

DIM = 0.3  # what is left of a pixel outside the outline
IMAGES = 10  # on which a unit fires, and as many others
MINED = 2000  # images that masks are looked for in


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pixels uint8 (n, H, W, 3) in the place of a data set, for judges that look at pixels."""

    images: np.ndarray
    world: bool = False
    kind: str = "pictures"

    @property
    def labels(self) -> np.ndarray:
        """No picture has a label."""
        return np.full(len(self.images), -1)

    def require_world(self, what: str) -> Any:
        """Pictures that were dimmed have no ground truth."""
        raise UserError(f"{what} needs scenes as they are; choose a judge that looks at pixels")


class Marks:
    """Masks of units in the images that drive them most.

    Args:
        exemplars: mined from images of a data set.
        numbers: int64, number in the data set of each image that was mined; None: all were.

    """

    def __init__(self, exemplars: ExemplarSet, numbers: np.ndarray | None = None) -> None:
        self._exemplars, self._numbers = exemplars, numbers

    def of(self, key: UnitKey, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Images int64 [k] and masks bool [k, size, size] of a unit, those without pixels left out.

        At most `IMAGES`, strongest first; nothing for a unit that was not mined.
        """
        layer, unit = key
        if unit >= self._exemplars.units.get(layer, 0):
            return np.zeros(0, np.int64), np.zeros((0, size, size), bool)
        ids = self._exemplars.ids(layer)[unit]
        masks = self._exemplars.masks(layer, size, units=[unit])[0]
        there = np.flatnonzero((ids >= 0) & masks.any((1, 2)))[:IMAGES]
        ids = ids[there] if self._numbers is None else self._numbers[ids[there]]
        return ids.astype(np.int64), masks[there]


def fuzz_units(
    bench: Bench,
    judge: Judge,
    dataset: Dataset,
    explanations: Sequence[Explanation],
    places: Sequence[int],
    marks: Marks,
    seed: int,
) -> tuple[dict[int, Detection], str]:
    """Fuzzing by number of explanation, and a sentence on what could not be done.

    Args:
        bench: the units' activations on the images that score: quiet images come from these.
        judge: looks at pixels.
        dataset: the images.
        explanations: any.
        places: numbers of those that can be scored.
        marks: where the units fire.
        seed: of the draws.

    """
    height, width = dataset.images.shape[1:3]
    if judge.model == "oracle" or height != width:
        why = (
            "the oracle needs scenes as they are; choose a judge that looks at pixels"
            if judge.model == "oracle"
            else f"masks are made for square images, these are {height} x {width}"
        )
        return {}, f"Fuzzing was left out: {why}."
    found, without = {}, 0
    weighted = sum(bool(explanations[place].weights) for place in places)
    for place in places:
        one = explanations[place]
        if one.weights:
            continue
        ids, masks = marks.of(one.key, height)
        values, numbers = bench.activations(one.key)
        quiet = numbers[(values <= np.median(values)) & ~np.isin(numbers, ids)]
        if not len(ids) or not len(quiet):
            without += 1
            continue
        (found[place],) = fuzz(*(judge, dataset, ids, masks, quiet, one.texts, seed), joined=True)
    left = f"{without} without a mask or without quiet images, {weighted} with weights"
    return found, f"Fuzzing of {len(found)} of {len(places)} scored units; left out: {left}."


def dimmed(pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images uint8 (n, H, W, 3), dim outside masks bool (n, H, W)."""
    dark = (pixels * DIM + 0.5).astype(np.uint8)
    return np.where(masks[..., None], pixels, dark)


def fuzz(
    judge: Judge,
    dataset: Dataset,
    ids: np.ndarray,
    masks: np.ndarray,
    quiet: np.ndarray,
    texts: Sequence[str],
    seed: int,
    *,
    joined: bool = False,
) -> list[Detection]:
    """Fuzzing of some texts of one unit: one result a text, or one of their mean presence.

    Args:
        judge: looks at pixels; the oracle cannot.
        dataset: the images.
        ids: int64 [k], images on which the unit fires; -1: none.
        masks: bool [k, H, W], where it fires, at the size of the images.
        quiet: int64 [q], images on which it does not fire, at least one.
        texts: to judge.
        seed: of the choice among the quiet images.
        joined: the texts are one explanation.

    Raises:
        UserError: without images of both kinds, or for a judge that needs ground truth.

    """
    seen = ids >= 0
    ids, masks = ids[seen], masks[seen]
    if not len(ids) or not len(quiet):
        raise UserError("fuzzing needs images on which the unit fires, and others")
    others = generator(seed, "fuzzing", *ids.tolist()).choice(quiet, len(ids))
    pixels = np.asarray(dataset.images[np.concatenate([ids, others])])
    pictures: Any = Pictures(dimmed(pixels, np.concatenate([masks, masks])))
    columns = judge.columns(JudgedImages(pictures, np.arange(len(pixels))), list(texts))
    fires = np.arange(len(pixels)) < len(ids)
    if joined:
        return [detect(columns.mean(1), fires)]
    return [detect(columns[:, place], fires) for place in range(len(texts))]
