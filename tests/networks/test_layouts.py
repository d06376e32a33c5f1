"""Layer outputs as maps."""

import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.networks.layouts import as_maps


def test_maps_and_vectors():
    maps = torch.rand(2, 3, 4, 5)
    assert as_maps(maps)[0] is maps
    assert as_maps(torch.rand(2, 7))[0].shape == (2, 7, 1, 1)


@pytest.mark.parametrize(
    ("mode", "first", "last", "kept"), [("fixed", 1, 784, 0), ("legacy", 0, 783, 784)]
)
def test_vit_tokens_on_the_grid(mode, first, last, kept):
    tokens = torch.arange(785.0).reshape(1, 785, 1).repeat(2, 1, 3)
    maps, class_token = as_maps(tokens, vit_spatialise=mode)
    assert maps.shape == (2, 3, 28, 28)
    assert maps[0, 0].flatten().tolist() == list(map(float, range(first, last + 1)))
    assert class_token.tolist() == [[kept] * 3] * 2


def test_tokens_without_class_token_and_rectangles():
    maps, class_token = as_maps(torch.rand(1, 16, 2))
    assert maps.shape == (1, 2, 4, 4)
    assert class_token is None
    assert as_maps(torch.rand(1, 13, 2), grid=(3, 4))[0].shape == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((2, 19, 4), {}, "19 tokens"),
        ((2,), {}, "shape"),
        ((1, 2, 3, 4, 5), {}, "shape"),
        ((1, 17, 2), {"vit_spatialise": "old"}, "'fixed' or 'legacy'"),
    ],
)
def test_other_shapes_get_a_sentence(shape, options, sentence):
    with pytest.raises(UserError, match=sentence):
        as_maps(torch.rand(shape), layer="encoder", **options)
