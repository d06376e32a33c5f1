"""From a ranking to decisions: planted networks, decided each by the others, with controls."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.describers.abstention import evaluation
from milan_core.describers.abstention.calibration import Calibration, calibrate
from milan_core.describers.abstention.measure import look, measure
from milan_core.describers.abstention.tables import Measured
from milan_core.describers.ranking import Ranked
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.scoring.tables import Truth
from milan_core.scoring.words import tokens

WORDS = tokens(
    "cats dogs grass faces boats sand drums stars lions owls kites cups books chairs lamps trees "
    "roses shells clouds rocks bikes cars trains shoes hats rings bells coins keys forks"
)
IMAGES, UNITS = 600, 64
PRESENCE = {
    word: (np.random.default_rng(place).random(IMAGES) < 0.25).astype(np.float32)
    for place, word in enumerate(WORDS)
}


class FakeJudge:
    """Knows the planted words."""

    name, model = "fake", "fake-1"

    def columns(self, images, texts):
        return np.stack([PRESENCE[text] for text in texts], 1)[images.ids]


def planted(seed: int) -> tuple[dict, ActivationTable, dict]:
    """Units of words; a wrong text is chosen for some, with less of the captioner behind it."""
    rng = np.random.default_rng(seed)
    keys = [("a", n) for n in range(UNITS // 2)] + [("b", n) for n in range(UNITS // 2)]
    concepts = [WORDS[n] for n in rng.integers(0, len(WORDS), UNITS)]
    wrong = rng.random(UNITS) < 0.25
    texts = [
        WORDS[(WORDS.index(word) + 1) % len(WORDS)] if bad else word
        for word, bad in zip(concepts, wrong, strict=True)
    ]
    signal = np.stack(
        [PRESENCE[word] + 0.6 * PRESENCE[text] for word, text in zip(concepts, texts, strict=True)]
    )
    values = (signal + 0.4 * rng.normal(size=(UNITS, IMAGES))).astype(np.float32)
    facts = TableFacts(
        model="m", model_hash="h", dataset="d", images=IMAGES, layers=(("a", 32), ("b", 32))
    )
    every = np.arange(IMAGES)
    table = merge_tables([ActivationTable(facts, every, np.ones(IMAGES, bool), {"max": values})])
    share = np.where(wrong, rng.uniform(0.1, 0.6, UNITS), rng.uniform(0.4, 0.95, UNITS))
    ranking = {
        key: [
            Ranked(text, "milan", math.log(p), -3.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.8),
            Ranked("other", "milan", math.log(1 - p), -3.0, 0.4, 0.4, 0.4, 0.4, 0.4, 0.2),
        ]
        for key, text, p in zip(keys, texts, share, strict=True)
    }
    truth = {
        key: Truth(word, "object", 0.9, 15, True, (word, word.rstrip("s")))
        for key, word in zip(keys, concepts, strict=True)
    }
    return ranking, table, truth


def measured(seed: int) -> Measured:
    ranking, table, truth = planted(seed)
    return measure(ranking, look(ranking, table, SimpleNamespace(), FakeJudge()), truth, seed)


@pytest.fixture(scope="module")
def networks() -> dict[str, Measured]:
    return {f"net{seed}": measured(seed) for seed in range(4)}


def test_evidence_of_planted_units(networks: dict[str, Measured]) -> None:
    """All follow their text; none does with its images shuffled; truth is looked up."""
    for one in networks.values():
        assert one.evidence.passed.mean() > 0.95
        assert one.noise.passed.mean() <= 0.05
        assert 0.6 < one.right.mean() < 0.9


def test_units_that_the_table_lacks_are_refused() -> None:
    """A ranking of another network."""
    ranking, table, _ = planted(0)
    ranking["c", 5] = ranking["a", 0]
    with pytest.raises(UserError, match=r"lacks unit 5 of c; make it again"):
        look(ranking, table, SimpleNamespace(), FakeJudge())


def test_networks_are_decided_by_the_others(networks: dict[str, Measured]) -> None:
    """Answered units are right more often, and the network itself is no source."""
    for name, one in networks.items():
        decided = evaluation.decide_network(name, networks, shipped(networks), 0.1, {})
        assert name not in [source.name for source in decided.calibration.sources]
        right, answered = one.right, decided.answered
        assert 0.3 < answered.mean() < 1
        assert right[answered].mean() > right.mean() + 0.05
        assert (answered & (right == 0)).mean() < 0.2


def test_the_truth_of_a_network_is_not_looked_at(networks: dict[str, Measured]) -> None:
    """Turned around, it changes decisions on the others alone."""
    first, beside = networks["net0"], shipped(networks)
    turned = {**networks, "net0": Measured(first.evidence, 1 - first.right, first.noise)}
    for name in networks:
        before, after = (
            evaluation.decide_network(name, every, beside, 0.1, {}).decisions
            for every in (networks, turned)
        )
        assert (before == after) == (name == "net0")


def test_alone_it_is_decided_by_what_is_shipped(networks: dict[str, Measured]) -> None:
    """Without an annotated network beside it, or with one whose texts are all right."""
    beside = shipped(networks)
    one = networks["net0"]
    lone = evaluation.decide_network("net0", {"net0": one}, beside, 0.1, {})
    assert lone.calibration is beside
    right = Measured(networks["net1"].evidence, np.ones(UNITS), networks["net1"].noise)
    pair = {"net0": one, "net1": right}
    assert evaluation.decide_network("net0", pair, beside, 0.1, {}).calibration is beside


def shipped(networks: dict[str, Measured]) -> Calibration:
    return calibrate({"other run": networks["net3"].annotated()}, "test", 0.1)
