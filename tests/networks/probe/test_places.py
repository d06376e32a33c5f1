"""Places of an output, told by what changes where a quarter of an image changes."""

import torch

from milan_core.networks.probe.places import in_place


def quarters(side=8):
    """Maps (5, 1, side, side): image k answers in its quarter alone; image 0 nowhere."""
    maps, half = torch.zeros(5, 1, side, side), side // 2
    for k in range(4):
        y, x = half * (k // 2), half * (k % 2)
        maps[k + 1, 0, y : y + half, x : x + half] = 1
    return maps


def test_cells_answer_to_their_own_quarter():
    assert in_place(quarters()) == 1
    assert in_place(quarters()[:, :, :, torch.arange(8).flip(0)]) == 0


def test_cells_that_answer_to_nothing_do_not_count():
    """A sparse layer, such as templates that match nowhere but at one place of each quarter."""
    maps = quarters()
    sparse = torch.zeros_like(maps)
    sparse[:, :, ::7, ::7] = maps[:, :, ::7, ::7]
    assert in_place(sparse) == 1
