"""Scores of explanations: against plain formulas, with a status for everything that has none."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.referee import score as scores
from milan_core.referee.judge import JudgedImages
from milan_core.referee.metrics import Pair, auprc_lift, correlation, firing
from milan_core.referee.options import ScoringOptions
from milan_core.referee.score import OTHERS, Bench
from milan_core.referee.scored import COLUMNS, Explanation

IMAGES, UNITS = 400, 6
RNG = np.random.default_rng(0)
PRESENCE = {
    "dog": (RNG.random(IMAGES) < 0.2).astype(np.float32),
    "sky": RNG.random(IMAGES).astype(np.float32),
    "same": np.full(IMAGES, 0.4, np.float32),
}
A = np.stack(
    [
        PRESENCE["dog"] + 0.3 * RNG.random(IMAGES),
        PRESENCE["sky"] ** 4,
        RNG.random(IMAGES),
        np.full(IMAGES, 3.0),  # dead
        np.zeros(IMAGES),  # dead
        2 * PRESENCE["dog"] - PRESENCE["sky"],
    ]
).astype(np.float32)


class FakeJudge:
    name, model = "fake", "fake-1"

    def __init__(self):
        self.asked = []

    def columns(self, images, texts):
        self.asked += texts
        return np.stack([PRESENCE.get(t, np.full(IMAGES, np.nan)) for t in texts], 1)[images.ids]


def bench(positions=None, judge=None, **options):
    facts = TableFacts(
        model="m", model_hash="h", dataset="d", images=IMAGES, layers=(("a", 4), ("b", 2))
    )
    every = np.arange(IMAGES)
    table = merge_tables([ActivationTable(facts, every, every % 2 == 0, {"max": A})])
    positions = every if positions is None else positions
    images = JudgedImages(SimpleNamespace(), positions)
    return Bench(
        table, positions, images, judge or FakeJudge(), ScoringOptions(resamples=50, **options)
    )


SAID = [
    Explanation(("a", 0), ("dog",)),
    Explanation(("a", 1), ("sky",)),
    Explanation(("a", 2), ("dog",)),
    Explanation(("a", 3), ("dog",)),
    Explanation(("b", 0), ("sky",)),
    Explanation(("b", 1), ("dog", "sky"), (2.0, -1.0)),
    Explanation(("a", 0), ("same",)),
    Explanation(("a", 0), ("xyzzy",)),
    Explanation(("a", 0), ()),
    Explanation(("a", 0), ("  ",)),
    Explanation(("a", 0), ("dog",), failed=True),
    Explanation(("c", 0), ("dog",)),
]


def test_every_explanation_has_a_status():
    rows = bench().score(SAID).rows
    assert [row.status for row in rows] == [
        *("scored", "scored", "scored", "dead", "dead", "scored", "constant", "unread"),
        *("abstained", "abstained", "failed", "unknown unit"),
    ]
    for row, said in zip(rows, SAID, strict=True):
        assert row.key == said.key
        assert np.isnan(row.correlation.value) == (row.status not in ("scored", "constant"))
        assert len(row.cells(OTHERS)) == len(COLUMNS) + len(OTHERS)


def test_scores_are_those_of_the_formulas():
    positions = np.arange(0, IMAGES, 2)
    result = bench(positions).score(SAID)
    for place, text in ((0, "dog"), (1, "sky"), (2, "dog")):
        a, c = A[place, positions], PRESENCE[text][positions]
        row = result.rows[place]
        assert row.correlation.value == pytest.approx(float(correlation(a, c)), abs=2e-3)
        pair = Pair(a.astype(float), c.astype(float), firing(a, 0.02))
        assert row.auprc.value == pytest.approx(auprc_lift(pair), abs=0.02)
        assert row.correlation.low < row.correlation.value < row.correlation.high
        assert set(row.others) == set(OTHERS)
    assert result.rows[0].correlation.low > 0.8
    assert result.rows[2].correlation.low < 0 < result.rows[2].correlation.high


def test_a_weighted_list_is_one_prediction():
    row = bench().score(SAID).rows[5]
    assert row.correlation.value > 0.999
    assert row.description == "+2 dog; -1 sky"
    assert not row.others


def test_constants_are_at_chance():
    row = bench().score(SAID).rows[6]
    assert (row.correlation.value, row.auprc.value) == (0.0, pytest.approx(0.0, abs=1e-9))
    assert (row.correlation.low, row.correlation.high) == (0.0, 0.0)


def test_blocks_change_nothing_and_judge_no_text_twice(monkeypatch):
    whole, judge = bench().score(SAID), FakeJudge()
    monkeypatch.setattr(scores, "BLOCK", 4 * IMAGES * 2)
    parts = bench(judge=judge).score(SAID)
    for one, other in zip(whole.rows, parts.rows, strict=True):
        np.testing.assert_array_equal(one.cells(OTHERS)[4:], other.cells(OTHERS)[4:])
    for name, drawn in whole.resampled.items():
        np.testing.assert_allclose(drawn, parts.resampled[name], atol=1e-6, equal_nan=True)
    assert len(judge.asked) < 9
