"""The oracle against instance maps that are read pixel by pixel."""

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.core.errors import UserError
from milan_core.referee.judge import JudgedImages, JudgeResources, judged, load_judge
from milan_core.referee.judges.oracle import VISIBLE, Judge
from milan_core.referee.options import OracleOptions


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    dataset = build_dataset("scenes", {"kind": "shapes", "count": 30}, {}, folder, 3)
    return JudgedImages(dataset, np.arange(4, 30, 2))


def share(images, wanted):
    """Pixels of the things that `wanted` accepts, counted one by one, as shares."""
    maps, scenes = images.dataset.require_world("the test")
    return np.array(
        [
            sum((maps[i] == k).mean() for k, thing in enumerate(scenes[i]) if wanted(thing))
            for i in images.ids
        ]
    )


def test_columns_are_what_the_instance_maps_show(images):
    judge = load_judge(OracleOptions(), JudgeResources())
    scenes = images.dataset.require_world("the test")[1]
    things = {(t["kind"], t["name"], t["colour"]) for i in images.ids for t in scenes[i]}
    name, color = next((n, c) for kind, n, c in sorted(things) if kind == "main")
    texts = [f"{name}s", f"{color} {name}s", "text", color, f"no {name}s"]
    columns = judge.columns(images, texts)
    assert columns.shape == (13, 5)
    assert columns.dtype == np.float32
    named = share(images, lambda t: t["name"] == name and t["kind"] in ("main", "object"))
    assert (columns[:, 0] == (named >= VISIBLE)).all()
    assert 0 < columns[:, 0].mean() < 1
    assert (columns[:, 4] == 1 - columns[:, 0]).all()
    both = share(images, lambda t: (t["name"], t["colour"]) == (name, color))
    assert (columns[:, 1] == (both >= VISIBLE)).all()
    assert (columns[:, 2] == (share(images, lambda t: t["kind"] == "text") >= VISIBLE)).all()
    assert (columns[:, 3] == (share(images, lambda t: t["colour"] == color) >= VISIBLE)).all()


def test_graded_columns_are_shares_of_pixels(images):
    graded = Judge(graded=True).columns(images, ["backgrounds", "objects"])
    things = share(images, lambda t: t["kind"] in ("main", "object"))
    np.testing.assert_allclose(graded[:, 1], things, atol=1e-6)
    assert (graded.sum(1) <= 1 + 1e-6).all()
    assert graded[:, 0].std() > 0


def test_unread_texts_are_nan_and_texts_do_not_depend_on_each_other(images):
    judge = Judge()
    one = judge.columns(images, ["zebra crossings", "circles"])
    assert np.isnan(one[:, 0]).all()
    assert not np.isnan(one[:, 1]).any()
    parts = {
        t: c
        for texts, cs in judged(judge, images, ["circles", "stars", "circles"], block=1)
        for t, c in zip(texts, cs.T, strict=True)
    }
    assert list(parts) == ["circles", "stars"]
    assert (parts["circles"] == one[:, 1]).all()


def test_images_without_ground_truth_are_refused(tmp_path):
    from PIL import Image

    for place in range(3):
        Image.fromarray(np.full((8, 8, 3), place, np.uint8)).save(tmp_path / f"{place}.png")
    plain = build_dataset(
        "plain", {"kind": "folder", "path": str(tmp_path)}, {}, tmp_path / "out", 0
    )
    with pytest.raises(UserError, match="ground truth needs a dataset of kind"):
        Judge().columns(JudgedImages(plain, np.arange(3)), ["dogs"])
