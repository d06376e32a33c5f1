"""Masks as bits, and maps as heat, in few letters of ASCII.

A mask of SIDE x SIDE is written as the lengths of its runs, row by row, the first one of pixels
outside: one letter of `LETTERS` a length, and `~` for each `len(LETTERS)` more. A map of at most
HEAT x HEAT cells is one letter a cell: 0 to the unit's largest activation in equal steps; `~` and a
letter stand for a run of zeros of that length.
"""

from __future__ import annotations

import numpy as np

from milan_core.exemplars.layer import LayerExemplars

SIDE = 32  # of a stored mask
HEAT = 8  # largest side of a stored map
LETTERS = "".join(chr(code) for code in range(33, 126) if chr(code) not in "\"\\<&'")
MORE = "~"
_BASE = len(LETTERS)


def layer_masks(layer: LayerExemplars, units: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Masks of some units: bool [units, k, side, side]; imported ones are made smaller.

    A cell of a smaller mask is inside where at least half of its pixels are.
    """
    from milan_core import ops

    if layer.maps is not None:
        return ops.unpack_masks(layer.masks(side, None, "zeros", units), side)
    if layer.packed is None:
        return np.zeros((len(units), layer.ids.shape[1], side, side), bool)
    whole = ops.unpack_masks(layer.packed[units], layer.size)
    return _smaller(whole, side)


def _smaller(masks: np.ndarray, side: int) -> np.ndarray:
    """Bool [..., S, S] at another side, by the share of each cell that is inside."""
    size = masks.shape[-1]
    weights = _overlaps(size, side)
    cells = weights @ masks.astype(np.float32) @ weights.T
    return np.asarray(cells >= 0.5 * (size / side) ** 2)


def _overlaps(size: int, side: int) -> np.ndarray:
    """How much of each of `size` pixels lies in each of `side` cells: float32 [side, size]."""
    edges = np.linspace(0, size, side + 1)
    ends = np.minimum(edges[1:, None], np.arange(1, size + 1))
    return np.clip(ends - np.maximum(edges[:-1, None], np.arange(size)), 0, 1).astype(np.float32)


def runs(mask: np.ndarray) -> str:
    """The letters of a mask, bool [SIDE, SIDE]; empty for an empty one."""
    flat = mask.reshape(-1)
    if not flat.any():
        return ""
    turns = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    lengths = np.diff(np.concatenate([[0], turns, [flat.size]])).tolist()
    if flat[0]:
        lengths = [0, *lengths]
    return "".join([MORE * (length // _BASE) + LETTERS[length % _BASE] for length in lengths])


def unpacked(letters: str, side: int = SIDE) -> np.ndarray:
    """The mask that `runs` wrote: bool [side, side]."""
    flat, place, inside, more = np.zeros(side * side, bool), 0, False, 0
    for letter in letters:
        if letter == MORE:
            more += _BASE
            continue
        length, more = more + LETTERS.index(letter), 0
        flat[place : place + length] = inside
        place, inside = place + length, not inside
    return flat.reshape(side, side)


def heat_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the stored maps of a layer whose maps are h x w."""
    return min(shape[0], HEAT), min(shape[1], HEAT)


def heat_levels(maps: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Maps float32 [units, k, h, w] as levels uint8 [units, k, rows, columns], 0 to 87.

    Larger maps are averaged over cells of equal size; `largest` float32 [units] is the top level.
    """
    rows, columns = heat_shape((maps.shape[2], maps.shape[3]))
    small = _averaged(_averaged(maps, 2, rows), 3, columns)
    top = np.where(largest > 0, largest, np.inf)[:, None, None, None]
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(np.clip(small / top, 0, 1))
    return np.asarray(np.round(share * (_BASE - 1)), np.uint8)


def _averaged(maps: np.ndarray, axis: int, cells: int) -> np.ndarray:
    size = maps.shape[axis]
    if size == cells:
        return maps
    if size % cells:  # a cell's border lies within a pixel, which counts for both sides
        shares = _overlaps(size, cells) * np.float32(cells / size)
        return np.moveaxis(np.moveaxis(maps, axis, -1) @ shares.T, -1, axis)
    sums = np.add.reduceat(maps, np.arange(0, size, size // cells), axis=axis)
    return np.asarray(sums / (size // cells))


def heat(levels: np.ndarray) -> str:
    """The letters of one map, uint8 [rows, columns]; empty where all is 0."""
    if not levels.any():
        return ""
    letters, zeros = [], 0
    for level in [*levels.reshape(-1).tolist(), -1]:
        if level == 0 and zeros < _BASE - 1:
            zeros += 1
            continue
        if zeros:
            letters.append(LETTERS[0] * zeros if zeros < 3 else MORE + LETTERS[zeros])
        zeros = int(level == 0)
        if level > 0:
            letters.append(LETTERS[level])
    return "".join(letters)
