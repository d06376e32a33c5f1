"""Verdicts of an answerer that knows the truth."""

import math

import numpy as np
import pytest
from datasets_made import build_dataset
from model_server import ModelServer, completion, pictures, token

from milan_core.core.errors import UserError
from milan_core.endpoint.answer import Answer
from milan_core.referee.judge import JudgedImages, JudgeResources, load_judge
from milan_core.referee.judges.answerer import yes
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


def reddish(request):
    """Says with which probability the picture is red, or only the likelier word."""
    share = float(pictures(request)[0][..., 0].mean() / 255)
    if share < 0.6:
        return completion("No, it does not.")
    top = [("1", math.log(share)), (" 0", math.log(1 - share)), ("A", -9.0)]
    return completion("1", [token("1", math.log(share), top)])


def test_a_model_behind_an_endpoint_is_a_judge_and_replays(images, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ModelServer(reddish)
    options = {"url": server.url, "model": "tiny"}
    path = str(tmp_path / "cassette.jsonl")
    ids = JudgedImages(images.dataset, images.ids[:40])
    judge = load_judge(VerdictOptions(endpoint=options, cassette=path), JudgeResources())
    column = judge.columns(ids, [TEXT])[:, 0]
    share = images.dataset.images[:40][..., 0].mean((1, 2)) / 255
    expected = np.where(share < 0.6, 0, share)
    np.testing.assert_allclose(column, expected, atol=1e-6)
    assert 0 < (expected == 0).sum() < 40
    server.close()
    replay = VerdictOptions(endpoint=options, cassette=path, replay=True)
    again = load_judge(replay, JudgeResources()).columns(ids, [TEXT])[:, 0]
    np.testing.assert_array_equal(again, column)


def test_words_stand_for_yes_and_no():
    texts = ["1", "Yes.", "**true**", "0", "no", "perhaps", "...", "10"]
    values = [yes(Answer(text)) for text in texts]
    np.testing.assert_array_equal(values, [1, 1, 1, 0, 0, np.nan, np.nan, np.nan])
    assert np.isnan(yes(Answer(problem="the model refused")))


def test_refusals(images):
    judge = Judge(Knowing())
    with pytest.raises(UserError, match="same model"):
        estimated(judge, images, np.arange(300.0), TEXT, judge, 0)
    with pytest.raises(UserError, match="cannot read 'zebra crossing'"):
        estimated(judge, images, np.arange(300.0), "zebra crossing", Oracle(), 0)


@pytest.mark.parametrize(
    ("text", "first", "expected"),
    [
        ("1", [("1", -0.5), ("0", -1.0), ("No", -3.0)], 1 / (1 + math.exp(-0.5))),
        ("No", [("No", -0.01), ("1", -7.0)], math.exp(-7) / (math.exp(-0.01) + math.exp(-7))),
        ("**false**", [("**", -0.01), ("1", -8.0)], 0),
        ("I cannot tell", [("I", -0.01), ("1", -9.0)], math.nan),
    ],
)
def test_a_digit_in_the_tail_is_not_the_answer(text, first, expected):
    assert yes(Answer(text, tuple(first))) == pytest.approx(expected, nan_ok=True)
