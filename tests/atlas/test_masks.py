"""Masks and maps come back from their letters."""

from __future__ import annotations

import numpy as np
import pytest

from milan_core.atlas import masks
from milan_core.exemplars.layer import LayerExemplars


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 1])
def test_runs_give_the_mask_back(share: float) -> None:
    mask = np.random.default_rng(0).random((masks.SIDE, masks.SIDE)) < share
    letters = masks.runs(mask)
    assert np.array_equal(masks.unpacked(letters), mask)
    assert set(letters) <= {*masks.LETTERS, masks.MORE}


def test_letters_need_no_escape_in_json() -> None:
    assert not set("\"\\<&'") & set(masks.LETTERS + masks.MORE)
    assert len(set(masks.LETTERS)) == 88


def test_blobs_take_few_letters() -> None:
    y, x = np.mgrid[: masks.SIDE, : masks.SIDE]
    disk = (x - 14) ** 2 + (y - 17) ** 2 < 60
    assert len(masks.runs(disk)) < masks.SIDE**2 / 8 / 2  # less than half of the plain bits


def decoded(letters: str, cells: int) -> list[int]:
    """The levels of `heat`, as the page reads them."""
    levels, zeros = [], False
    for letter in letters:
        value = masks.LETTERS.find(letter)
        if letter == masks.MORE:
            zeros = True
        elif zeros:
            levels, zeros = levels + [0] * value, False
        else:
            levels.append(value)
    return levels + [0] * (cells - len(levels))


@pytest.mark.parametrize("zeros", [0, 0.5, 0.95, 1])
def test_heat_gives_levels_back(zeros: float) -> None:
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 88, (8, 8)).astype(np.uint8)
    levels[rng.random((8, 8)) < zeros] = 0
    assert decoded(masks.heat(levels), 64) == levels.reshape(-1).tolist()


def test_heat_is_relative_to_the_largest_activation_and_averages_cells() -> None:
    maps = np.zeros((1, 1, 16, 16), np.float32)
    maps[0, 0, :2, :2] = 4
    levels = masks.heat_levels(maps, np.array([4.0], np.float32))
    assert levels.shape == (1, 1, 8, 8)
    assert levels[0, 0, 0, 0] == 87
    assert levels.sum() == 87


@pytest.mark.parametrize("size", [9, 13, 14, 27])
def test_heat_lies_where_the_map_has_it(size: int) -> None:
    """Cells are drawn with equal sides, so a map that rises evenly must give even levels."""
    rise = (np.arange(size, dtype=np.float32) + 0.5) / size
    maps = np.stack([np.tile(rise, (size, 1)), np.tile(rise[:, None], size)])[None]
    levels = masks.heat_levels(maps, np.ones(1, np.float32))[0] / 87
    even = (np.arange(8) + 0.5) / 8
    assert np.abs(levels[0] - even).max() < 0.015
    assert np.abs(levels[1] - even[:, None]).max() < 0.015


def test_imported_masks_are_made_smaller_by_their_larger_part() -> None:
    whole = np.zeros((1, 1, 64, 64), bool)
    whole[0, 0, :32] = True
    layer = LayerExemplars(
        ids=np.zeros((1, 1), np.int64),
        activations=np.ones((1, 1), np.float32),
        levels=np.ones(1, np.float32),
        resolved=np.ones(1, bool),
        packed=np.packbits(whole, axis=-1),
        size=64,
    )
    small = masks.layer_masks(layer, np.array([0]))
    assert small.shape == (1, 1, 32, 32)
    assert np.array_equal(small[0, 0].all(1), np.arange(32) < 16)
