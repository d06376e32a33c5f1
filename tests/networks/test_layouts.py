"""Layer outputs as maps."""

import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Tokens


def test_maps_and_vectors():
    maps = torch.rand(2, 3, 4, 5)
    assert Layout().maps(maps)[0] is maps
    assert Layout().maps(torch.rand(2, 7))[0].shape == (2, 7, 1, 1)


@pytest.mark.parametrize(
    ("mode", "first", "last", "kept"), [("fixed", 1, 784, 0), ("legacy", 0, 783, 784)]
)
def test_vit_tokens_on_the_grid(mode, first, last, kept):
    tokens = torch.arange(785.0).reshape(1, 785, 1).repeat(2, 1, 3)
    maps, class_token = Layout(Tokens(spatialise=mode)).maps(tokens)
    assert maps.shape == (2, 3, 28, 28)
    assert maps[0, 0].flatten().tolist() == list(map(float, range(first, last + 1)))
    assert class_token.tolist() == [[kept] * 3] * 2


def test_tokens_without_class_token_and_rectangles():
    maps, class_token = Layout().maps(torch.rand(1, 16, 2))
    assert maps.shape == (1, 2, 4, 4)
    assert class_token is None
    rectangle = Layout(Tokens(grid=(3, 4)))
    assert rectangle.maps(torch.rand(1, 13, 2))[0].shape == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((2, 19, 4), "19 tokens"), ((2,), "shape"), ((1, 2, 3, 4, 5), "shape")],
)
def test_other_shapes_get_a_sentence(shape, sentence):
    with pytest.raises(UserError, match=sentence):
        Layout().maps(torch.rand(shape), "encoder")


def test_facts_are_what_differs_from_the_default():
    assert Layout(Tokens(spatialise="legacy")).facts() == {}
    layout = Layout(Tokens(class_tokens=0, grid=(3, 4)), channels_last=True, units=5)
    expected = {"class_tokens": 0, "grid": [3, 4], "channels_last": True, "units": 5}
    assert layout.facts() == expected
