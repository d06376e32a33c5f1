"""Tokens that do not lie on the image as usual: other grids, class tokens at other places."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Tokens


class Patches(nn.Module):
    """Patches of 4 pixels with a class token at some place; None: without one."""

    def __init__(self, place=None):
        super().__init__()
        self.place, self.patch = place, nn.Conv2d(3, 8, 4, 4)
        self.token, self.block = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(8, 6)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        if self.place is not None:
            at = round(self.place * x.shape[1])
            x = torch.cat([x[:, :at], self.token.expand(len(x), 1, -1), x[:, at:]], 1)
        return self.block(x)


def maps_are_right(found, model, images, grid):
    """Whether the mined maps are those of a plain forward pass."""
    with torch.no_grad():
        output = model(images)
    if model.place is not None:
        at = round(model.place * (output.shape[1] - 1))
        output = torch.cat([output[:, :at], output[:, at + 1 :]], 1)
    maps = output.transpose(1, 2).reshape(len(images), 6, *grid).numpy()
    layer = found.layer("block")
    wanted = maps[layer.ids, np.arange(6)[:, None]]
    return np.allclose(layer.maps, wanted, atol=1e-5)


def images(height, width):
    return torch.rand(6, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("place", "fix"),
    [(1, r"place 64 of 65 .*spatialise: legacy"), (0.5, r"place 32 of 65 .*nn\.Identity")],
)
def test_class_tokens_behind_or_between_the_patches_are_refused(place, fix):
    torch.manual_seed(0)
    with pytest.raises(UserError, match=fix):
        mine(Patches(place), images(32, 32), "block", k=2, batch_size=4)


@pytest.mark.parametrize(("place", "form"), [(0, Tokens()), (1, Tokens(spatialise="legacy"))])
def test_class_tokens_that_are_left_out(place, form):
    torch.manual_seed(0)
    model, shown = Patches(place), images(32, 32)
    found = mine(model, shown, "block", k=2, batch_size=4, layout=Layout(form))
    assert maps_are_right(found, model, shown, (8, 8))


@pytest.mark.parametrize(
    ("sides", "grid"), [((32, 8), (8, 2)), ((64, 36), (16, 9)), ((128, 32), (32, 8))]
)
def test_rectangles_whose_tokens_would_fill_a_square(sides, grid):
    torch.manual_seed(0)
    model, shown = Patches(), images(*sides)
    with pytest.raises(UserError, match=rf"grid: \[rows, columns\].*\[{grid[0]}, {grid[1]}\]"):
        mine(model, shown, "block", k=2, batch_size=4)
    found = mine(model, shown, "block", k=2, batch_size=4, layout=Layout(Tokens(grid=grid)))
    assert maps_are_right(found, model, shown, grid)


def test_nearly_square_images_have_square_grids():
    shown = images(34, 32)
    assert mine(Patches(), shown, "block", k=2).layer("block").maps.shape[2:] == (8, 8)
