"""Fuzzing with a judge that sees red."""

import numpy as np
import pytest
import torch
from datasets_made import build_dataset

import milan_core as milan
from milan_core.core.errors import UserError
from milan_core.networks.options import InputSpec
from milan_core.referee.fuzzing import IMAGES, Marked, Marks, Pictures, dimmed, fuzz
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
    return Marked(ids, red[ids], ~red[ids]), np.flatnonzero(~there)


def test_the_true_text_tells_the_unit_s_part_from_others(dataset):
    marks, quiet = marked(dataset)
    true, other, both = fuzz(Reds(), dataset, marks, quiet, [["red"], ["blue"], ["red", "x"]], 0)
    assert true.other_images.auroc > 0.95
    assert true.other_parts.auroc > 0.95  # the same images, other parts
    assert other.other_images.auroc == other.other_parts.auroc == 0.5
    assert both.other_images.auroc == true.other_images.auroc


def test_active_fuzzing_marks_as_much_of_the_same_image_where_the_unit_is_quiet(dataset):
    marks, quiet = marked(dataset)
    small = marks.quiet.copy()
    small[0] = False  # no room on this image
    rows, masks = marks._replace(quiet=small).apart(0)
    assert rows.tolist() == list(range(1, 12))
    assert not (masks & ~small[rows]).any()
    assert (masks.sum((1, 2)) == marks.masks[rows].sum((1, 2))).all()
    assert (masks == marks._replace(quiet=small).apart(0)[1]).all()
    assert (masks != marks._replace(quiet=small).apart(1)[1]).any()
    nowhere = marks._replace(quiet=np.zeros_like(marks.quiet))
    (one,) = fuzz(Reds(), dataset, nowhere, quiet, [["red"]], 0)
    assert one.other_parts is None
    assert set(one.scores()) == {"fuzzing", "fuzzing auroc"}


def test_what_lies_outside_the_outline_is_dim(dataset):
    pixels = np.array(dataset.images[:2])
    masks = np.zeros((2, 64, 64), bool)
    masks[:, 10:20, 10:20] = True
    got = dimmed(pixels, masks)
    assert (got[:, 10:20, 10:20] == pixels[:, 10:20, 10:20]).all()
    outside = got[:, 30:].astype(float)
    np.testing.assert_allclose(outside, pixels[:, 30:] * 0.3, atol=0.5 + 1e-9)


def test_refusals(dataset):
    marks, quiet = marked(dataset)
    with pytest.raises(UserError, match="choose a judge that looks at pixels"):
        fuzz(Oracle(), dataset, marks, quiet, [["red"]], 0)
    with pytest.raises(UserError, match="images on which the unit fires"):
        fuzz(Reds(), dataset, Marked(*(part[:0] for part in marks)), quiet, [["red"]], 0)
    assert (Pictures(np.zeros((2, 4, 4, 3), np.uint8)).labels == -1).all()


class Reddish(torch.nn.Module):
    """Unit 0 is how red a pixel is, 1 the same, 2 dead, 3 bright and 4 as unit 0."""

    def __init__(self):
        super().__init__()
        self.units = torch.nn.Identity()

    def forward(self, x):
        red = torch.relu(x[:, :1] - x[:, 1:].amax(1, keepdim=True))
        return self.units(torch.cat([red, red, 0 * red, x.mean(1, keepdim=True), red], 1))


SAID = {("units", 0): "red", ("units", 1): "blue", ("units", 2): "red", ("units", 4): ["red", "x"]}


def scored(dataset, judge, **more):
    return milan.score(
        *(Reddish(), dataset, "units", SAID, judge),
        input=InputSpec(size=None),
        allow_small=True,
        fuzzing=True,
        **more,
    )


def test_units_are_fuzzed_with_masks_of_the_images_that_score(dataset):
    result = scored(dataset, Reds())
    assert result.counts() == {"scored": 2, "constant": 1, "dead": 1, "missing": 1}
    by_unit = {row.key[1]: row.others for row in result.rows}
    assert by_unit[0]["fuzzing auroc"] > 0.9
    assert by_unit[4]["fuzzing auroc"] > 0.9  # several texts are one explanation
    assert by_unit[1]["fuzzing auroc"] == by_unit[1]["active fuzzing auroc"] == 0.5  # says nothing
    assert by_unit[0]["active fuzzing auroc"] > 0.9
    assert any(
        note.startswith("Fuzzing of 3 of 3 scored units, active fuzzing of 3")
        for note in result.notes
    )
    line = next(x for x in result.summary().splitlines() if x.startswith("| active fuzzing auroc"))
    assert " | 0.500 | " in line  # the constant text, beside
    plain = milan.score(
        *(Reddish(), dataset, "units", SAID, Reds()),
        input=InputSpec(size=None),
        allow_small=True,
    )
    assert plain.rows[0].correlation == result.rows[0].correlation  # fuzzing changes nothing else


def test_a_judge_of_ground_truth_leaves_fuzzing_out_and_says_so(dataset):
    result = scored(dataset, Oracle())
    assert any("Fuzzing was left out: the oracle" in note for note in result.notes)
    assert not any(np.isfinite(row.others.get("fuzzing", np.nan)) for row in result.rows)


def test_marks_are_numbered_in_the_data_set_and_have_pixels(dataset):
    numbers = np.arange(10, 50)
    spec = InputSpec(size=None)
    mined = milan.mine(Reddish(), np.array(dataset.images[numbers]), "units", k=15, input=spec)
    ids, masks, quiet = Marks(mined, numbers).of(("units", 0), 64)
    assert 0 < len(ids) <= IMAGES
    assert set(ids) <= set(numbers)
    assert masks.any((1, 2)).all()
    red = np.array(dataset.images[ids]).astype(int)
    redness = (red[..., 0] - red[..., 1:].max(-1)).clip(0)
    assert redness[masks].mean() > redness[~masks].mean() + 50
    assert quiet.any((1, 2)).all()
    assert not (quiet & masks).any()
    assert redness[quiet].max() < redness[masks].max() / 2
    assert len(Marks(mined).of(("units", 2), 64)[0]) == 0  # dead
    assert len(Marks(mined).of(("units", 9), 64)[0]) == len(Marks(mined).of(("no", 0), 64)[0]) == 0
