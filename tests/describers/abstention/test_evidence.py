"""Evidence of descriptions: features by hand, planted and shuffled units."""

from __future__ import annotations

import math

import numpy as np

from milan_core.describers.abstention.evidence import (
    FEATURES,
    HeldOut,
    gather_evidence,
    held_out,
)
from milan_core.describers.ranking import NONE, Ranked
from milan_core.scoring.words import tokens

WORDS = tokens(
    "cats dogs grass faces boats sand drums stars lions owls kites cups books chairs lamps trees "
    "roses shells clouds rocks bikes cars trains shoes hats rings bells coins keys forks"
)


def ranked(text: str, score: float, logp: float, wins: float = NONE) -> Ranked:
    return Ranked(text, "milan", logp, -2.0, score, score, score, score, score, wins)


def test_features_by_hand() -> None:
    """Margin to another concept, stability and consensus over texts of the same one."""
    candidates = [
        ranked("yellow cats", 0.9, math.log(0.2), 0.3),
        ranked("cats", 0.8, math.log(0.1), 0.4),
        ranked("dogs", 0.5, math.log(0.6), 0.3),
        Ranked("cats on grass", "table", NONE, NONE, 0.1, 0.1, 0.1, 0.95, 0.1, 0.0),
    ]
    apart = HeldOut(np.array([0.4]), np.array([0.6]), np.array([0.01]))
    found = gather_evidence({("a", 0): candidates}, apart)
    values = dict(zip(FEATURES, found.features[0].tolist(), strict=True))
    assert values["correlation"] == 0.4
    assert values["strong"] == 0.6
    assert values["null"] == math.log(0.01)
    assert math.isclose(values["margin"], 0.4)
    assert math.isclose(values["stability"], 0.7)
    assert math.isclose(values["consensus"], 1 / 3)
    assert math.isclose(values["logp"], math.log(0.2))
    assert values["logp_lm"] == -2
    assert values["agreement"] == 2 / 5  # by fit and by range; log p says dogs
    assert found.texts == ["yellow cats"]
    assert found.likely == [("cats", "yellow cats", "dogs")]
    assert found.passed.tolist() == [True]


def test_absent_numbers_are_absent() -> None:
    """Without bootstraps, log p and another concept nothing is made up."""
    alone = Ranked("cats", "table", NONE, NONE, 0.1, 0.1, 0.1, 0.1, 0.1)
    apart = HeldOut(np.array([math.nan]), np.array([math.nan]), np.ones(1))
    found = gather_evidence({("a", 0): [alone]}, apart)
    values = dict(zip(FEATURES, found.features[0].tolist(), strict=True))
    absent = [name for name, value in values.items() if math.isnan(value)]
    assert absent == [name for name in FEATURES if name != "agreement"]
    assert found.likely == [("cats",)]
    assert not found.passed.any()


def planted(units: int = 48, images: int = 400) -> tuple[list, list, np.ndarray, dict]:
    rng = np.random.default_rng(0)
    presence = {word: (rng.random(images) < 0.3).astype(np.float32) for word in WORDS}
    texts = [WORDS[unit % len(WORDS)] for unit in range(units)]
    noise = rng.normal(size=(images, units))
    activations = np.stack([presence[text] for text in texts], 1) + 0.5 * noise
    return [("a", unit) for unit in range(units)], texts, activations, presence


def test_planted_units_pass_and_noise_does_not() -> None:
    """True texts of units, images shuffled by unit, and dead units."""
    keys, texts, activations, presence = planted()
    candidates = {key: [ranked(text, 0.5, -1.0)] for key, text in zip(keys, texts, strict=True)}
    assert gather_evidence(candidates, held_out(keys, texts, activations, presence)).passed.all()
    rng = np.random.default_rng(1)
    shuffled = rng.permuted(activations, axis=0)
    noise = gather_evidence(candidates, held_out(keys, texts, shuffled, presence))
    assert noise.passed.mean() <= 0.05
    dead = held_out(keys, texts, np.zeros_like(activations), presence)
    assert (dead.p == 1).all()
    assert np.isnan(dead.strong).all()


def test_unread_and_missing_texts_have_no_statistic() -> None:
    """A judge that cannot read a text says nothing of its unit, and nothing of others."""
    keys, texts, activations, presence = planted()
    texts[0], texts[1] = "", "unread"
    presence = {**presence, "unread": np.full(len(activations), np.nan, np.float32)}
    apart = held_out(keys, texts, activations, presence)
    assert np.isnan(apart.strong[:2]).all()
    assert (apart.p[:2] == 1).all()
    assert np.isfinite(apart.strong[2:]).all()
    nothing = held_out(keys, texts, activations, {"unread": presence["unread"]})
    assert (nothing.p == 1).all()
