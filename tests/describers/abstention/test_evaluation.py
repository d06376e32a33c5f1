"""From a ranking to decisions: planted networks, decided each by the others, with controls."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.describers.abstention import evaluation
from milan_core.describers.abstention.measure import measure
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
    return measure(ranking, table, SimpleNamespace(), FakeJudge(), truth, seed)


@pytest.fixture(scope="module")
def networks() -> dict[str, Measured]:
    return {f"net{seed}": measured(seed) for seed in range(4)}


def test_evidence_of_planted_units(networks: dict[str, Measured]) -> None:
    """All follow their text; none does with its images shuffled; truth is looked up."""
    for one in networks.values():
        assert one.evidence.passed.mean() > 0.95
        assert one.shuffled.mean() <= 0.05
        assert 0.6 < one.right.mean() < 0.9


def test_units_that_the_table_lacks_are_refused() -> None:
    """A ranking of another network."""
    ranking, table, truth = planted(0)
    ranking["c", 5] = ranking["a", 0]
    with pytest.raises(UserError, match=r"lacks unit 5 of c; make it again"):
        measure(ranking, table, SimpleNamespace(), FakeJudge(), truth)


def test_networks_are_decided_by_the_others(networks: dict[str, Measured]) -> None:
    """Answered units are right more often, and the network itself is no source."""
    decided, every = evaluation.decide_all(networks, "test", 0.1)
    assert [source.name for source in every.sources] == list(networks)
    for one in decided:
        assert one.name not in [source.name for source in one.calibration.sources]
        right, answered = one.measured.right, one.answered
        assert 0.3 < answered.mean() < 1
        assert right[answered].mean() > right.mean() + 0.05
        assert (answered & (right == 0)).mean() < 0.2


def test_changing_a_network_changes_no_decision_on_itself(networks: dict[str, Measured]) -> None:
    """Its truth is not looked at."""
    first = networks["net0"]
    turned = {**networks, "net0": Measured(first.evidence, 1 - first.right, first.shuffled)}
    before, _ = evaluation.decide_all(networks, "test", 0.1)
    after, _ = evaluation.decide_all(turned, "test", 0.1)
    assert before[0].decisions == after[0].decisions
    assert before[1].decisions != after[1].decisions


def test_one_annotated_network_is_not_enough(networks: dict[str, Measured]) -> None:
    """Nobody can decide it."""
    with pytest.raises(UserError, match="1 networks with known concepts, expected 2"):
        evaluation.decide_all({"net0": networks["net0"]}, "test", 0.1)
