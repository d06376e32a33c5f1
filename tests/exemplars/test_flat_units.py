"""Units with one value everywhere, on a device whose values the host reads rarely."""

import numpy as np
import pytest
import torch
from host_waits import HostWaits

from milan_core.exemplars import status
from milan_core.exemplars.status import FlatUnits
from milan_core.networks import feeding


class Elsewhere(torch.Tensor):
    """A CPU tensor that says it is on a GPU."""

    device = torch.device("cuda", 0)


def batches(kind):
    """33 batches of 6 units: dead, constant, flat for some batches, and never flat."""
    draw = torch.Generator().manual_seed(0)
    for number in range(33):
        maps = torch.randn(4, 6, 3, 3, generator=draw)
        maps[:, 0], maps[:, 1] = 0, 2.5
        maps[:, 2] = float(number >= 20)
        maps[:, 3] = number * 1e-20
        if number == 9 and kind == "NaN":
            maps[1, 1, 2, 2] = float("nan")
        yield maps


@pytest.fixture
def reads(monkeypatch):
    """Record how many units' extremes the host reads each time."""
    found, flat = [], status._flat
    monkeypatch.setattr(
        status, "_flat", lambda units, *values: (found.append(len(units)), flat(units, *values))[1]
    )
    monkeypatch.setattr(feeding, "on_way", lambda array, device: torch.from_numpy(array))
    return found


@pytest.mark.parametrize("kind", ["plain", "NaN"])
def test_a_device_gives_what_the_cpu_gives(kind, reads):
    here, there = FlatUnits(), FlatUnits()
    for maps in batches(kind):
        here.add("a", maps)
    reads.clear()
    for maps in batches(kind):
        with HostWaits() as waits:
            there.add("a", maps.as_subclass(Elsewhere))
        assert not waits.found
    # After 1, 2, 4, 8, 16 and 32 batches; the unit that changes late is dropped late.
    left = 4 if kind == "plain" else 3
    assert reads == [6, 4, 4, 4, 4, left]
    for name in ("units", "low", "high"):
        mine, theirs = getattr(here.layers["a"], name), getattr(there.layers["a"], name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert there.constant("a", 6).tolist() == [True, kind == "plain", False, True, False, False]


def test_a_layer_without_flat_units_is_read_once(reads):
    there = FlatUnits()
    for _ in range(5):
        there.add("a", torch.randn(4, 6, 3, 3).as_subclass(Elsewhere))
    assert reads == [6]
    assert not there.constant("a", 6).any()
