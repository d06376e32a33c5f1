"""Exemplar images and masks in the frame that CLIP sees."""

import numpy as np
import pytest
import torch
import transformers

from milan_core.describers.backends.clip_geometry import clip_pixels, patch_masks

SIZE, PATCH = 24, 8


@pytest.mark.parametrize("shape", [(SIZE, SIZE), (50, 71), (71, 50), (20, 33)])
def test_images_take_the_geometry_of_clips_own_processor(shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = 127 + 120 * np.sin(rows / 9)[..., None] * np.cos(columns[..., None] / [7, 9, 11])
    image = smooth.astype(np.uint8)
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    )
    expected = torch.as_tensor(np.asarray(processor(image)["pixel_values"][0]))
    found = clip_pixels(image[None], SIZE)[0]
    # One grey level is 0.015; the processor rounds to whole levels after resizing.
    torch.testing.assert_close(found, expected.float(), atol=0.032, rtol=0)


def test_masks_follow_the_image():
    masks = np.zeros((1, 48, 72), bool)
    masks[0, :16, 12:28] = True  # in the frame: the top left patch of nine
    np.testing.assert_allclose(patch_masks(masks, SIZE, PATCH)[0].view(3, 3)[0, 0], 1, atol=0.1)
    assert patch_masks(masks, SIZE, PATCH)[0].view(3, 3)[1:, 1:].max() < 1e-3
    masks[0] = True
    np.testing.assert_allclose(patch_masks(masks, SIZE, PATCH), 1, atol=1e-6)
    outside = np.zeros((1, 48, 72), bool)
    outside[0, :, :8] = True
    assert patch_masks(outside, SIZE, PATCH).max() == 0, "cropped away"
    quarter = np.zeros((1, SIZE, SIZE), bool)
    quarter[0, :4, :4] = True
    assert patch_masks(quarter, SIZE, PATCH)[0, 0] == 0.25
    assert patch_masks(quarter, SIZE, PATCH, legacy=True)[0, 0] == pytest.approx(0.25, abs=0.26)
