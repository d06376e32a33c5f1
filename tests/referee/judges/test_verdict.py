"""Verdicts of an answerer that knows the truth."""

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.core.errors import UserError
from milan_core.referee.judge import JudgedImages, JudgeResources, load_judge
from milan_core.referee.judges.oracle import Judge as Oracle
from milan_core.referee.judges.verdict import Judge, estimated
from milan_core.referee.options import VerdictOptions

TEXT = "red areas"


class Knowing:
    """Answers by the mean of the red channel; every eighth image it does not answer."""

    model = "knowing"

    def __init__(self):
        self.asked = 0

    def answers(self, pixels, question):
        assert question == "Does the image show: red areas? Answer 1 or 0."
        self.asked += len(pixels)
        red = pixels[..., 0].mean((1, 2)) / 255
        return np.where(np.arange(len(red)) % 8 == 7, np.nan, red)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verdict")
    dataset = build_dataset("scenes", {"kind": "shapes", "count": 300}, {}, folder, 5)
    return JudgedImages(dataset, np.arange(300))


def test_it_asks_every_drawn_image_once_and_counts_the_unanswered(images):
    answerer = Knowing()
    judge = Judge(answerer)
    a = images.dataset.images[images.ids][..., 0].mean((1, 2)) + 0.0
    got = estimated(judge, images, a, TEXT, Oracle(), seed=0, count=150)
    assert answerer.asked == got.asked < 150
    assert got.unanswered == got.asked // 8
    assert got.correlation.value > 0.99
    again = estimated(judge, images, a, TEXT, Oracle(), seed=0, count=150)
    assert again == got


def test_columns_ask_about_every_image(images):
    answerer = Knowing()
    column = Judge(answerer).columns(images, [TEXT])
    assert column.shape == (300, 1)
    assert answerer.asked == 300
    assert np.isnan(column[7::8, 0]).all()


def test_refusals(images):
    with pytest.raises(UserError, match="no client for 'llava'"):
        load_judge(VerdictOptions(source="llava"), JudgeResources())
    judge = Judge(Knowing())
    with pytest.raises(UserError, match="same model"):
        estimated(judge, images, np.arange(300.0), TEXT, judge, 0)
    with pytest.raises(UserError, match="cannot read 'zebra crossing'"):
        estimated(judge, images, np.arange(300.0), "zebra crossing", Oracle(), 0)
