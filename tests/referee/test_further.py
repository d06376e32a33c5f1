"""Scores for comparison, and a judge that is asked once."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.referee import further
from milan_core.referee.cosy import cosy
from milan_core.referee.detection import detection, sheets, trial
from milan_core.referee.further import FURTHER, Further, Sheets
from milan_core.referee.judge import JudgedImages
from milan_core.referee.judges.choice import named_judge
from milan_core.referee.options import ScoringOptions
from milan_core.referee.remembered import Remembered
from milan_core.referee.score import OTHERS, Bench
from milan_core.referee.scored import Explanation
from milan_core.referee.structure import clarity, monosemanticity

IMAGES = 600
RNG = np.random.default_rng(0)
PRESENCE = {
    "dog": (RNG.random(IMAGES) < 0.2).astype(np.float32),
    "cat": (RNG.random(IMAGES) < 0.2).astype(np.float32),
}
A = np.stack(
    [
        PRESENCE["dog"] + 0.1 * RNG.random(IMAGES),
        PRESENCE["cat"] + 0.1 * RNG.random(IMAGES),
        PRESENCE["dog"] + 0.2 * RNG.random(IMAGES) + 0.3 * PRESENCE["cat"],
        RNG.random(IMAGES),
    ]
).astype(np.float32)


class FakeJudge:
    name = model = "fake"

    def __init__(self):
        self.asked = []

    def columns(self, images, texts):
        self.asked += texts
        unread = np.full(IMAGES, np.nan, np.float32)
        return np.stack([PRESENCE.get(text, unread) for text in texts], 1)[images.ids]


def table_of(*units):
    layers = tuple(zip("ab", units, strict=False))
    facts = TableFacts(model="m", model_hash="h", dataset="d", images=IMAGES, layers=layers)
    every = np.arange(IMAGES)
    return merge_tables([ActivationTable(facts, every, every >= 0, {"max": A})])


@pytest.fixture(scope="module")
def place():
    table, every = table_of(3, 1), np.arange(IMAGES)
    images = JudgedImages(SimpleNamespace(), every)
    judge = FakeJudge()
    vectors = RNG.normal(size=(IMAGES, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    further = Further(table, every, 7, vectors)
    options = ScoringOptions(resamples=5)
    return Bench(table, every, images, judge, options, further=further), vectors


def test_scores_are_those_of_the_single_functions(place):
    bench, vectors = place
    said = [
        Explanation(("a", 0), ("dog",)),
        Explanation(("a", 1), ("dog",)),
        Explanation(("b", 0), ("unheard",)),
        Explanation(("a", 0), ("dog", "cat"), (1.0, -1.0)),
    ]
    found = [row.others for row in bench.score(said).rows]
    assert not found[2]  # unread texts and weighted sums have none
    assert not found[3]
    assert set(found[0]) == {*OTHERS, *FURTHER}
    a = unit_sheets_a(0)
    images = trial(a, 7, "a", 0, vectors=vectors)
    assert found[0]["detection"] == detection(PRESENCE["dog"], images).accuracy
    assert found[0]["cosy auc"] == cosy(a, PRESENCE["dog"], 7).auc
    assert found[0]["clarity"] == pytest.approx(clarity(vectors[sheets(a[None])[0]]), abs=1e-6)
    alone = monosemanticity(a[:, None], vectors)[0]
    assert found[0]["monosemanticity"] == pytest.approx(alone, rel=1e-9)
    assert found[0]["discrimination"] in (0, 0.5, 1)
    assert found[1]["discrimination"] == 0  # a dog's text is another unit's
    assert found[0]["detection"] > 0.95 > found[1]["detection"]


def unit_sheets_a(unit):
    return table_of(4).block(np.array([unit]))[0]


def test_nearest_units_stay_in_their_layer(place):
    unit_sheets = Sheets(table_of(3, 1), np.arange(IMAGES))
    assert unit_sheets.nearest.tolist()[:3] == [2, 2, 0]
    assert unit_sheets.nearest[3] == -1
    assert unit_sheets.sheets.shape == (4, 15)
    vectors = np.tile(np.array([1.0, 0], np.float32), (IMAGES, 1))
    redundancies = Further(table_of(3, 1), np.arange(IMAGES), 7, vectors).redundancy()
    assert redundancies["a"] == pytest.approx(1)
    assert np.isnan(redundancies["b"])


def test_nearest_units_are_compared_on_images_of_all_classes(monkeypatch):
    """Images come class by class: the first ones say nothing of the others."""
    monkeypatch.setattr(further, "COMPARED", 60)
    rng = np.random.default_rng(1)
    values = rng.random((4, IMAGES)).astype(np.float32)
    values[1, :60], values[2, 60:] = values[0, :60], values[0, 60:]
    facts = TableFacts(model="m", model_hash="h", dataset="d", images=IMAGES, layers=(("a", 4),))
    every = np.arange(IMAGES)
    table = merge_tables([ActivationTable(facts, every, every >= 0, {"max": values})])
    whole = np.corrcoef(values) - 2 * np.eye(4)
    assert whole[0].argmax() == 2
    assert Sheets(table, every).nearest[0] == 2


def test_a_remembered_judge_is_asked_once_for_a_text(place):
    judge = FakeJudge()
    images = JudgedImages(SimpleNamespace(), np.arange(IMAGES))
    kept = Remembered(judge)
    first = kept.columns(images, ["dog", "cat", "dog"])
    again = kept.columns(images, ["cat", "unheard"])
    assert judge.asked == ["dog", "cat", "unheard"]
    np.testing.assert_array_equal(first[:, 1], again[:, 0])
    assert (first[:, 0] == first[:, 2]).all()
    other = JudgedImages(SimpleNamespace(), np.arange(10))
    assert kept.columns(other, ["dog"]).shape == (10, 1)
    forgetful = Remembered(judge, limit=1)
    forgetful.columns(images, ["dog"])
    forgetful.columns(images, ["dog"])
    assert judge.asked[-2:] == ["dog", "dog"]


def test_judges_by_name(tmp_path):
    scenes, plain = SimpleNamespace(world=True), SimpleNamespace(world=False)
    assert named_judge("auto", scenes, Compute()).name == "oracle"
    assert named_judge("oracle:shares", scenes, Compute()).graded
    with pytest.raises(UserError, match="no judge can be chosen for you"):
        named_judge("auto", plain, Compute())
    with pytest.raises(UserError, match="holds neither a trained judge"):
        named_judge(str(tmp_path), plain, Compute())
    with pytest.raises(UserError, match="are the same model"):
        named_judge("oracle", scenes, Compute(), described_by="oracle")
