"""Fuzzing for pictures: is the marked part the one that fires? (S4)

A judge sees an image that is dim outside an outline. It is that of the unit's own mask; or the same
outline on an image on which the unit does not fire (*fuzzing*); or an outline of equal area on the
same image, where the unit is below `QUIET` of its maximum there (*active fuzzing*). A text that
names what is inside tells the first from the others; chance 0.5. Printed for comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import Dataset
from milan_core.referee.detection import Detection, detect
from milan_core.referee.further import FUZZED
from milan_core.referee.judge import Judge, JudgedImages
from milan_core.referee.score import Bench
from milan_core.referee.scored import Explanation

DIM = 0.3  # what is left of a pixel outside the outline
QUIET = 0.3  # of an image's maximum: a unit is quiet below it
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


class Marked(NamedTuple):
    """Where a unit fires in the images that drive it most, strongest first.

    Attributes:
        ids: int64 [k], numbers of the images.
        masks: bool [k, size, size], where it fires.
        quiet: bool [k, size, size], where it is below `QUIET` of its maximum in the image; nowhere
            where that is not known.

    """

    ids: np.ndarray
    masks: np.ndarray
    quiet: np.ndarray

    def apart(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Active fuzzing: rows int64 [m] with room, and masks bool [m, size, size] of equal area.

        A mask is the quiet pixels nearest to one that is drawn by the number of the image.
        """
        rows, masks = [], []
        for row, image in enumerate(self.ids.tolist()):
            area, room = int(self.masks[row].sum()), np.argwhere(self.quiet[row])
            if area and len(room) >= area:
                center = room[generator(seed, "active fuzzing", image).integers(len(room))]
                far = ((room - center) ** 2).sum(1)
                chosen = room[np.argsort(far, kind="stable")[:area]]
                mask = np.zeros_like(self.masks[row])
                mask[tuple(chosen.T)] = True
                rows.append(row)
                masks.append(mask)
        shape = (-1, *self.masks.shape[1:])
        return np.array(rows, np.int64), np.array(masks, bool).reshape(shape)


class Marks:
    """Masks of units in the images that drive them most.

    Args:
        exemplars: mined from images of a data set.
        numbers: int64, number in the data set of each image that was mined; None: all were.

    """

    def __init__(self, exemplars: ExemplarSet, numbers: np.ndarray | None = None) -> None:
        self._exemplars, self._numbers = exemplars, numbers

    def of(self, key: UnitKey, size: int) -> Marked:
        """Marks of a unit in at most `IMAGES` images, those without pixels left out.

        Nothing for a unit that was not mined.
        """
        layer, unit = key
        if unit >= self._exemplars.units.get(layer, 0):
            nowhere = np.zeros((0, size, size), bool)
            return Marked(np.zeros(0, np.int64), nowhere, nowhere)
        ids = self._exemplars.ids(layer)[unit]
        masks = self._exemplars.masks(layer, size, units=[unit])[0]
        there = np.flatnonzero((ids >= 0) & masks.any((1, 2)))[:IMAGES]
        quiet = self._quiet(layer, unit, there, size) & ~masks[there]
        ids = ids[there] if self._numbers is None else self._numbers[ids[there]]
        return Marked(ids.astype(np.int64), masks[there], quiet)

    def _quiet(self, layer: str, unit: int, rows: np.ndarray, size: int) -> np.ndarray:
        """Pixels bool [rows, size, size] below `QUIET` of the maximum of a map above 0."""
        maps = self._exemplars.layer(layer).maps
        if maps is None or not len(rows):  # imported with masks alone
            return np.zeros((len(rows), size, size), bool)
        chosen = np.ascontiguousarray(maps[unit][rows], np.float32)
        largest = chosen.max((1, 2))
        level = np.where(largest > 0, QUIET * largest, -np.inf).astype(np.float32)
        return ~ops.unpack_masks(ops.masks(chosen, level, size, "clamp"), size)


class Fuzzed(NamedTuple):
    """Fuzzing of one text: with other images, and with other parts of the same (active)."""

    other_images: Detection
    other_parts: Detection | None  # None: no image has room

    def scores(self) -> dict[str, float]:
        """FUZZED of `further`."""
        values = [self.other_images.accuracy, self.other_images.auroc]
        if self.other_parts is not None:
            values += [self.other_parts.accuracy, self.other_parts.auroc]
        return dict(zip(FUZZED, values, strict=False))


def fuzz_units(
    bench: Bench,
    judge: Judge,
    dataset: Dataset,
    explained: Mapping[str, Mapping[int, Explanation]],
    marks: Marks,
    seed: int,
) -> tuple[dict[str, dict[int, dict[str, float]]], str]:
    """FUZZED by describer and number of the unit, and a sentence on what could not be done.

    Args:
        bench: the units' activations on the images that score: quiet images come from these.
        judge: looks at pixels, once for all describers.
        dataset: the images.
        explained: by describer, what can be scored, by number of the unit; the first is counted.
        marks: where the units fire.
        seed: of the draws.

    """
    height, width = dataset.images.shape[1:3]
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in explained}
    if judge.model == "oracle" or height != width:
        why = (
            "the oracle needs scenes as they are; choose a judge that looks at pixels"
            if judge.model == "oracle"
            else f"masks are made for square images, these are {height} x {width}"
        )
        return found, f"Fuzzing was left out: {why}."
    without = active = 0
    first = next(iter(explained))
    for place in sorted({place for ones in explained.values() for place in ones}):
        said = {
            name: ones[place]
            for name, ones in explained.items()
            if place in ones and not ones[place].weights
        }
        if not said:
            continue
        key = next(iter(said.values())).key
        marked = marks.of(key, height)
        values, numbers = bench.activations(key)
        quiet = numbers[(values <= np.median(values)) & ~np.isin(numbers, marked.ids)]
        if not len(marked.ids) or not len(quiet):
            without += first in said
            continue
        texts = [one.texts for one in said.values()]
        results = fuzz(judge, dataset, marked, quiet, texts, seed)
        for name, result in zip(said, results, strict=True):
            found[name][place] = result.scores()
        active += first in said and results[0].other_parts is not None
    weighted = sum(bool(one.weights) for one in explained[first].values())
    return found, (
        f"Fuzzing of {len(found[first])} of {len(explained[first])} scored units, active fuzzing "
        f"of {active}; left out: {without} without a mask or without quiet images, {weighted} with "
        "weights."
    )


def dimmed(pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images uint8 (n, H, W, 3), dim outside masks bool (n, H, W)."""
    dark = (pixels * DIM + 0.5).astype(np.uint8)
    return np.where(masks[..., None], pixels, dark)


def fuzz(
    judge: Judge,
    dataset: Dataset,
    marked: Marked,
    quiet: np.ndarray,
    explanations: Sequence[Sequence[str]],
    seed: int,
) -> list[Fuzzed]:
    """Fuzzing of some explanations of one unit: of a text, or of the mean presence of several.

    Args:
        judge: looks at pixels; the oracle cannot.
        dataset: the images.
        marked: where the unit fires, at the size of the images.
        quiet: int64 [q], images on which it does not fire, at least one.
        explanations: their texts.
        seed: of the choice among the quiet images.

    Raises:
        UserError: without images of both kinds, or for a judge that needs ground truth.

    """
    count = len(marked.ids)
    if not count or not len(quiet):
        raise UserError("fuzzing needs images on which the unit fires, and others")
    others = generator(seed, "fuzzing", *marked.ids.tolist()).choice(quiet, count)
    rows, apart = marked.apart(seed)
    numbers = np.concatenate([marked.ids, others, marked.ids[rows]])
    masks = np.concatenate([marked.masks, marked.masks, apart])
    pictures: Any = Pictures(dimmed(np.asarray(dataset.images[numbers]), masks))
    texts = list(dict.fromkeys(text for ones in explanations for text in ones))
    columns = judge.columns(JudgedImages(pictures, np.arange(len(numbers))), texts)
    found = []
    for ones in explanations:
        answers = columns[:, [texts.index(text) for text in ones]].mean(1)
        true, other, part = np.split(answers, [count, 2 * count])
        found.append(Fuzzed(_told(true, other), _told(true[rows], part) if len(rows) else None))
    return found


def _told(true: np.ndarray, false: np.ndarray) -> Detection:
    return detect(np.concatenate([true, false]), np.arange(len(true) + len(false)) < len(true))
