"""What modules of known kinds tell of the axes of outputs near them."""

import pytest
import torch
from torch import nn

from milan_core.networks.probe.leaves import watched


class OwnNorm(nn.LayerNorm):
    """As in networks that cast its input or its output."""


class NormOfMaps(nn.LayerNorm):
    """Normalizes axis 1, as timm's for maps."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


CASES = {
    "a derived norm of tokens": (OwnNorm(8), (2, 5, 8), 2),
    "a derived norm of maps": (NormOfMaps(8), (2, 8, 5, 5), 1),
    "a derived norm of as many tokens as channels": (OwnNorm(8), (2, 8, 8), None),
    # Queries may be learned, so its rows need not be places.
    "attention": (nn.MultiheadAttention(8, 2, batch_first=True), (2, 5, 8), None),
    "a plain norm of as many tokens as channels": (nn.LayerNorm(8), (2, 8, 8), 2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_axis_that_a_module_tells(name):
    module, shape, axis = CASES[name]
    with watched(nn.Sequential(module)) as leaves:
        module(*[torch.zeros(shape)] * (3 if name == "attention" else 1))
    assert leaves.channel_axis(shape) == axis
