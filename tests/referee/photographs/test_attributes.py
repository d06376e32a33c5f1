"""Attributes of drawn pictures, exactly."""

import numpy as np
import pytest
import torch

from milan_core.referee.photographs.attributes import SIZE, attribute_columns, color_maps
from milan_core.referee.photographs.vocabulary import ATTRIBUTES, COLORS

PAINTS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "gray": (128, 128, 128), "red": (220, 20, 30),
    "orange": (255, 140, 0), "yellow": (250, 230, 20), "green": (30, 160, 40),
    "blue": (30, 60, 220), "purple": (140, 30, 200), "pink": (250, 120, 180),
    "brown": (120, 70, 20),
}  # fmt: skip


def plain(paint):
    pixels = torch.tensor(paint, dtype=torch.float32) / 255
    return pixels[None, :, None, None].expand(1, 3, SIZE, SIZE)


def column(images, name):
    return attribute_columns(images)[:, ATTRIBUTES.index(name)]


@pytest.mark.parametrize("name", COLORS)
def test_each_paint_has_its_color_and_no_other(name):
    shares = attribute_columns(plain(PAINTS[name]))[0, : len(COLORS)]
    assert shares.argmax() == COLORS.index(name)
    assert shares.max() == 1
    assert shares.sum() == 1


def test_every_pixel_has_one_color():
    noise = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert (color_maps(noise).sum(1) == 1).all()


def test_a_small_patch_counts_by_its_fullest_cells():
    image = plain(PAINTS["white"]).clone()
    image[..., :32, :64] = plain(PAINTS["red"])[..., :32, :64]  # 2 of 49 cells
    expected = (2 / 5 + 2 / 49) / 2
    assert column(image, "red")[0] == pytest.approx(expected, abs=1e-6)


def test_stripes_are_told_apart_by_their_direction():
    x = torch.arange(SIZE, dtype=torch.float32)
    wave = (torch.sin(x / 2) + 1) / 2
    upright = wave.expand(1, 3, SIZE, SIZE)
    diagonal = ((torch.sin((x[:, None] + x[None]) / 2) + 1) / 2).expand(1, 3, SIZE, SIZE)
    images = torch.cat([upright, upright.transpose(2, 3), diagonal])
    lines = attribute_columns(images)[:, -3:]
    assert lines.argmax(1).tolist() == [0, 1, 2]
    texture = column(torch.cat([images, plain(PAINTS["gray"])]), "finely textured")
    assert (texture[:3] > 10 * texture[3]).all()


def test_light_is_the_largest_channel():
    images = torch.cat([plain((0, 0, 0)), plain((51, 0, 0)), plain((0, 255, 0))])
    assert np.allclose(column(images, "bright"), [0, 0.2, 1], atol=1e-6)
    assert np.allclose(column(images, "dark"), [0, -0.2, -1], atol=1e-6)
