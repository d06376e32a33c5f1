"""Fuzzing with a judge that sees red."""

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.core.errors import UserError
from milan_core.referee.fuzzing import Pictures, dimmed, fuzz
from milan_core.referee.judges.oracle import Judge as Oracle


class Reds:
    """The text `red` is as present as the reddest pixel is bright; other texts are noise."""

    name = model = "reds"

    def columns(self, images, texts):
        pixels = images.dataset.images[images.ids].astype(float)
        red = np.clip(pixels[..., 0] - pixels[..., 1:].max(-1), 0, 255).max((1, 2)) / 255
        noise = np.full(len(red), 0.5)
        return np.stack([red if text == "red" else noise for text in texts], 1).astype(np.float32)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    return build_dataset("scenes", {"kind": "shapes", "count": 60}, {}, folder, 5)


def marked(dataset):
    """Images with a red pixel inside their mask, and images without red."""
    pixels = np.array(dataset.images).astype(int)
    red = (pixels[..., 0] - pixels[..., 1:].max(-1)) > 130
    there = red.any((1, 2))
    ids = np.flatnonzero(there)[:12]
    return ids, red[ids], np.flatnonzero(~there)


def test_the_true_text_tells_the_unit_s_part_from_others(dataset):
    ids, masks, quiet = marked(dataset)
    true, other = fuzz(Reds(), dataset, ids, masks, quiet, ["red", "blue"], 0)
    assert true.auroc > 0.95
    assert other.auroc == 0.5


def test_what_lies_outside_the_outline_is_dim(dataset):
    pixels = np.array(dataset.images[:2])
    masks = np.zeros((2, 64, 64), bool)
    masks[:, 10:20, 10:20] = True
    got = dimmed(pixels, masks)
    assert (got[:, 10:20, 10:20] == pixels[:, 10:20, 10:20]).all()
    outside = got[:, 30:].astype(float)
    np.testing.assert_allclose(outside, pixels[:, 30:] * 0.3, atol=0.5 + 1e-9)


def test_refusals(dataset):
    ids, masks, quiet = marked(dataset)
    with pytest.raises(UserError, match="choose a judge that looks at pixels"):
        fuzz(Oracle(), dataset, ids, masks, quiet, ["red"], 0)
    with pytest.raises(UserError, match="images on which the unit fires"):
        fuzz(Reds(), dataset, np.full(3, -1), masks[:3], quiet, ["red"], 0)
    assert (Pictures(np.zeros((2, 4, 4, 3), np.uint8)).labels == -1).all()
