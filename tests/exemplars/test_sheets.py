"""Sheets of exemplars with their masks drawn in."""

import numpy as np

from milan_core.exemplars import sheets


def test_outline_is_the_inner_border_of_a_mask():
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 1:5, 1:5] = True
    found = sheets.outline(mask)
    assert found.sum() == 12
    assert not found[0, 2:4, 2:4].any()
    assert not sheets.outline(np.ones((1, 6, 6), bool)).any()  # the frame is no border
    assert not sheets.outline(np.zeros((1, 6, 6), bool)).any()


def test_drawing_dims_outside_and_keeps_inside():
    images = np.full((1, 6, 6, 3), 100, np.uint8)
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 1:5, 1:5] = True
    drawn = sheets.draw_masks(images, mask)
    assert drawn[0, 0, 0].tolist() == [30, 30, 30]
    assert drawn[0, 2, 2].tolist() == [100, 100, 100]
    assert drawn[0, 1, 1].tolist() == [255, 255, 255]


def test_sheet_places_tiles_row_by_row():
    tiles = np.stack([np.full((64, 64, 3), i, np.uint8) for i in range(7)])
    canvas = sheets.sheet(tiles, columns=5)
    assert canvas.shape == (130, 328, 4)
    assert sheets.sheet_size(7) == (328, 130)
    assert canvas[66, 66].tolist() == [6, 6, 6, 255]
    assert canvas[0, 64].tolist() == [0, 0, 0, 0]  # gap
    assert canvas[129, 327, 3] == 0  # empty place


def test_thumbnails_shrink_once_and_show_grey_for_no_image():
    thumbnails = sheets.Thumbnails(np.full((2, 128, 96, 3), 7, np.uint8))
    assert thumbnails.get(1).shape == (64, 64, 3)
    assert thumbnails.get(1) is thumbnails.get(1)
    assert (thumbnails.get(-1) == 128).all()
