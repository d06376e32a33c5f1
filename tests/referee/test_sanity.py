"""Sanity tests of NeuronEval: what passes in the published table passes here on a known truth."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.seeding import generator
from milan_core.referee.metrics import METRICS, Pair, firing
from milan_core.referee.sanity import Verdict, damaged, sanity
from milan_core.referee.summary import warnings


@pytest.fixture(scope="module")
def pairs():
    """40 units that fire for concepts of 2 to 10 % of 2,000 images, with noise."""
    made = []
    for unit in range(40):
        rng = generator(0, "made units", unit)
        c = (rng.random(2000) < 0.02 + 0.08 * unit / 40).astype(float)
        a = c * (1 + rng.random(2000)) + 0.3 * rng.standard_normal(2000)
        made.append(Pair(a, c, firing(a, float(c.mean()))))
    return made


def test_verdicts_are_those_of_the_published_table(pairs):
    verdicts = {v.metric: v for v in sanity(pairs, list(METRICS), seed=0)}
    for name in ("correlation", "auprc", "f1", "iou", "cosine"):
        assert verdicts[name].both >= 0.95, name
        assert verdicts[name].trusted
    assert verdicts["recall"].extra == 0.0, "more labels never lower the recall"
    for name in ("recall", "precision"):
        assert not verdicts[name].trusted, name
    assert all(v.units == 40 for v in verdicts.values())


def test_damage_is_what_it_says():
    rng = generator(1, "x")
    c = (np.arange(10000) < 500).astype(float)
    missing, extra = damaged(c, "missing", rng), damaged(c, "extra", rng)
    assert 200 < missing.sum() < 300
    assert not missing[500:].any()
    assert 900 < extra.sum() < 1100
    assert extra[:500].all()
    assert damaged(np.ones(5), "extra", rng).tolist() == [1] * 5


def test_verdicts_depend_on_the_seed_alone(pairs):
    assert sanity(pairs[:5], ["correlation"], 3) == sanity(pairs[:5], ["correlation"], 3)


def test_a_metric_without_values_is_not_trusted():
    dead = [Pair(np.zeros(50), np.ones(50), np.zeros(50, bool))]
    (verdict,) = sanity(dead, ["correlation"], 0)
    assert verdict.units == 0
    assert not verdict.trusted


def test_a_score_that_no_unit_could_test_is_said_to_be_untested():
    missing = Verdict("correlation", *[float("nan")] * 3, 0)
    failing = Verdict("auprc", 0.2, 0.2, 0.1, 20)
    notes = warnings(SimpleNamespace(facts={"images": 1000}, verdicts=[missing, failing]))
    assert [note.partition(":")[0] for note in notes] == [
        "**Correlation could be tested on no unit",
        "**AUPRC lift fails its sanity tests here",
    ]
