"""Which values of a layer are held at zero while a head is trained."""

import pytest
import torch

from milan_core.experiments.edit.fine_tune import hold_at_zero
from milan_core.networks.layouts import Layout


class Tokens(torch.nn.Module):
    """Sixteen tokens with five units in the last axis."""

    def __init__(self):
        super().__init__()
        self.units = torch.nn.Linear(3, 5)

    def forward(self, x):
        return self.units(x.flatten(2).transpose(1, 2))


@pytest.mark.parametrize(("axes", "axis"), [({}, 2), ({"units": "b c t"}, 1)])
def test_units_held_at_zero_are_those_of_the_axis_of_channels(axes, axis):
    module = Tokens()
    images = torch.rand(2, 3, 4, 4)
    before = module(images)
    hold_at_zero(module, [("units", 3)], Layout(axes=axes))
    after = module(images).movedim(axis, 0)
    assert not after[3].any()
    rest = [unit for unit in range(after.shape[0]) if unit != 3]
    assert torch.equal(after[rest], before.movedim(axis, 0)[rest])
