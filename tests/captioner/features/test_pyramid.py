"""Masked pooling of feature maps (specification 4.1)."""

import numpy as np
import pytest
import torch
from paths import TESTS
from torch import nn
from torch.nn import functional

from milan_core.captioner.features.options import Pooling
from milan_core.captioner.features.pooling import pool_slots
from milan_core.captioner.features.pyramid import pool_pyramid
from milan_core.core.errors import UserError
from milan_core.ops import pack_masks

GOLDEN = TESTS / "data/golden/decoder/pyramid.npz"


@pytest.fixture(scope="module")
def golden():
    """Feature maps of the golden trunk, masks, and what the published encoder made of them."""
    with np.load(GOLDEN) as data:
        arrays = {name: torch.from_numpy(data[name]) for name in data}
    conv = [nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 12, 3, 2, 1), nn.Conv2d(12, 20, 3, 2, 1)]
    trunk = nn.Sequential(conv[0], nn.ReLU(), conv[1], nn.ReLU(), conv[2])
    trunk.load_state_dict(
        {k.removeprefix("trunk_"): v for k, v in arrays.items() if k.startswith("trunk_")}
    )
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (arrays["images"] - mean[:, None, None]) / deviation[:, None, None]
    maps = []
    with torch.no_grad():
        for index, layer in enumerate(trunk):
            x = layer(x)
            if index % 2 == 0:
                maps.append(x.clone())
    return maps, arrays


def test_golden_masked_and_whole_images(golden):
    maps, arrays = golden
    masked = pool_pyramid(maps, arrays["masks"], resize="bilinear")
    torch.testing.assert_close(masked, arrays["features_masked"], atol=1e-4, rtol=0)
    whole = pool_pyramid(maps, None)
    torch.testing.assert_close(whole, arrays["features_unmasked"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("resize", ["area", "bilinear"])
def test_empty_mask_gives_zeros_and_full_mask_the_mean(golden, resize):
    maps, arrays = golden
    masks = arrays["masks"].clone()
    masks[0], masks[1] = 0, 1
    found = pool_pyramid(maps, masks, resize=resize)
    assert torch.isfinite(found).all()
    assert (found[0] == 0).all()
    torch.testing.assert_close(found[1], arrays["features_unmasked"][1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("height", "width", "h", "w"), [(56, 56, 7, 14), (23, 37, 7, 9), (3, 4, 7, 9)]
)
def test_area_is_the_exact_share_of_every_cell(height, width, h, w):
    masks = torch.rand(3, 1, height, width)
    maps = torch.randn(3, 5, h, w)
    # Repeating every pixel h (w) times makes the ratio whole, so plain block means are exact.
    fine = masks.repeat_interleave(h, 2).repeat_interleave(w, 3)
    cells = functional.avg_pool2d(fine, (height, width))
    expected = (maps * cells).sum((2, 3)) / cells.sum((1, 2, 3))[:, None]
    torch.testing.assert_close(pool_pyramid([maps], masks), expected, atol=1e-5, rtol=1e-5)


def test_area_sees_the_small_region_that_point_sampling_misses():
    masks = torch.zeros(1, 1, 224, 224, dtype=torch.bool)
    masks[0, 0, 2:6, 2:6] = True
    maps = torch.ones(1, 2, 7, 7)
    assert pool_pyramid([maps], masks, resize="bilinear").tolist() == [[0, 0]]
    assert pool_pyramid([maps], masks, resize="area").tolist() == [[1, 1]]


def test_scale_and_type_of_a_mask_do_not_matter():
    masks, maps = torch.rand(2, 1, 30, 30) > 0.5, [torch.randn(2, 3, 8, 8)]
    expected = pool_pyramid(maps, masks)
    torch.testing.assert_close(pool_pyramid(maps, masks * 7.0), expected)
    torch.testing.assert_close(pool_pyramid(maps, masks.to(torch.uint8)), expected)
    half = pool_pyramid([maps[0].half()], masks)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, atol=1e-2, rtol=1e-2)


def test_refuses_what_does_not_fit():
    maps, masks = [torch.zeros(2, 3, 4, 4)], torch.zeros(2, 1, 8, 8)
    with pytest.raises(UserError, match="bilinear"):
        pool_pyramid(maps, masks, resize="bilinaer")
    for bad in (masks[:1], masks[:, 0], masks.expand(2, 2, 8, 8)):
        with pytest.raises(UserError, match="one batch size"):
            pool_pyramid(maps, bad)
    with pytest.raises(UserError, match="one batch size"):
        pool_pyramid([], masks)


@pytest.mark.parametrize("resize", ["bilinear", "whole"])
def test_golden_features_by_the_products_own_path(golden, resize):
    """What `features.pool` runs: bits for masks, the native operation for the weighted means."""
    maps, arrays = golden
    masks = arrays["masks"][:, 0].numpy() > 0
    expected = arrays["features_masked"]
    if resize == "whole":
        masks, expected = np.ones_like(masks), arrays["features_unmasked"]
    levels = [level.numpy() for level in maps]
    how = "area" if resize == "whole" else resize
    found = pool_slots(
        levels,
        np.arange(len(masks)),
        pack_masks(masks),
        masks.shape[1],
        Pooling(append_area=False, resize=how),
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
