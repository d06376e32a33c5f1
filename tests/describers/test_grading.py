"""Grades of words on units whose truth is known."""

import numpy as np
import pytest

from milan_core.describers.grading import (
    GradingRule,
    counts,
    effective_dimensions,
    grade_layer,
    p_values,
    standardized,
    tendency_text,
    without_gain,
)
from milan_core.referee.photographs.evidence import Evidence
from milan_core.referee.photographs.vocabulary import Word
from milan_core.scoring.verdicts import discoveries

RULE = GradingRule(share=0.5, lift=2, rate=0.1)
WORDS = (
    Word("animals", "group", frozenset({0, 1, 2})),
    Word("dogs", "group", frozenset({0})),
    Word("cars", "group", frozenset({5})),
    Word("red", "attribute"),
)
IMAGES = 400


@pytest.fixture
def evidence():
    """Animals in a quarter of the images, half of them dogs; cars in a fifth; red at random."""
    rng = np.random.default_rng(0)
    animals = np.arange(IMAGES) % 4 == 0
    dogs = np.arange(IMAGES) % 8 == 0
    cars = np.arange(IMAGES) % 5 == 1
    shown = np.stack([animals, dogs, cars], 1)
    columns = np.where(shown, rng.uniform(0.7, 1, shown.shape), rng.uniform(0, 0.1, shown.shape))
    return Evidence(WORDS, np.c_[columns, rng.random(IMAGES)].astype(np.float32))


def test_a_unit_alone_in_its_layer_has_a_word(evidence):
    """Its activation is no common gain of other units: without itself nothing was left."""
    alone = evidence.columns[:, 1] + 0.1 * noise(1)[0]
    assert (without_gain(alone[:, None]) == standardized(alone[:, None])).all()
    beside = grade_layer(np.stack([alone, *noise(30)]), evidence, RULE)[0]
    assert beside.grade == "A"
    only = grade_layer(alone[None], evidence, RULE)[0]
    assert (only.grade, only.text) == ("A", beside.text)


def noise(units, seed=1):
    return np.random.default_rng(seed).normal(size=(units, IMAGES))


def test_a_unit_of_a_word_gets_it_and_noise_gets_none(evidence):
    units = noise(40)
    units[0] += 4 * evidence.columns[:, 2]
    units[1] += 4 * evidence.columns[:, 0]
    units[2] += 4 * evidence.columns[:, 1]
    graded = grade_layer(units, evidence, RULE)
    assert [row.text for row in graded[:3]] == ["cars", "animals", "dogs"]
    assert [row.grade for row in graded[:3]] == ["A"] * 3
    assert graded[0].share == 1
    assert graded[0].base == pytest.approx(0.2)
    assert counts(graded)["A"] == 3
    assert all(row.text == "" for row in graded[3:])


def test_a_weak_correlation_is_a_tendency_and_no_description(evidence):
    units = noise(40)
    units[0] += 0.6 * evidence.columns[:, 2]
    row = grade_layer(units, evidence, RULE)[0]
    assert (row.grade, row.text, row.word) == ("B", "", "cars")
    assert tendency_text(row) == f"weak: more often with cars, r {row.correlation:.2f}"


def test_a_gain_that_all_units_share_describes_none(evidence):
    """Every unit follows redness; without the common gain nothing is left of it."""
    units = noise(60) + 3 * evidence.columns[:, 3]
    graded = grade_layer(units, evidence, RULE)
    assert counts(graded)["A"] <= 1
    raw = np.corrcoef(units.mean(0), evidence.columns[:, 3])[0, 1]
    assert raw > 0.9


def test_a_unit_of_two_things_names_both(evidence):
    units = noise(40)
    units[0] += 4 * evidence.columns[:, 2] + 4 * evidence.columns[:, 1]
    text = grade_layer(units, evidence, RULE)[0].text
    assert set(text.split(" and ")) == {"cars", "dogs"}


def test_a_word_that_nothing_shows_is_not_looked_for(evidence):
    faint = Evidence(WORDS, evidence.columns * np.float32([1, 1, 0.2, 1]))
    units = noise(40)
    units[0] += 4 * evidence.columns[:, 2]
    assert "cars" not in grade_layer(units, faint, RULE)[0].word


def test_the_gain_is_regressed_out_exactly():
    activations = noise(5).T
    clean = without_gain(activations)
    gain = standardized(standardized(activations).mean(1, keepdims=True))
    assert np.allclose(clean.T @ gain, 0, atol=1e-9)


def test_p_values_and_discoveries_are_the_textbook_ones():
    from scipy.stats import pearsonr

    x, y = noise(2)[:, :50]
    expected = pearsonr(x, y, alternative="greater").pvalue
    assert p_values(np.array(np.corrcoef(x, y)[0, 1]), 50) == pytest.approx(expected)
    p = np.array([0.01, 0.04, 0.03, 0.2])
    assert discoveries(p, 0.1).tolist() == [True, True, True, False]
    assert not discoveries(np.array([0.2, 0.9]), 0.1).any()


def test_a_mean_that_follows_a_word_describes_a_unit_but_no_attribute_does(evidence):
    """The largest activations are noise; only the means follow cars, or redness."""
    maxima, means = noise(40), noise(40, seed=2)
    means[0] += 6 * evidence.columns[:, 2]
    means[1] += 6 * evidence.columns[:, 3]
    maxima[0] += 0.4 * evidence.columns[:, 2]
    alone = grade_layer(maxima, evidence, RULE)
    both = grade_layer(maxima, evidence, RULE, means)
    assert alone[0].grade != "A"
    assert (both[0].grade, both[0].text) == ("A", "cars")
    assert both[1].text == ""
    assert both[2:] == alone[2:]


def test_effective_dimensions_are_the_participation_ratio(evidence):
    rng = np.random.default_rng(3)
    one = rng.normal(size=(IMAGES, 1)) @ np.ones((1, 30))
    assert effective_dimensions(one) == pytest.approx(1)
    basis = np.linalg.qr(np.c_[np.ones(IMAGES), rng.normal(size=(IMAGES, 30))])[0][:, 1:]
    assert effective_dimensions(basis) == pytest.approx(30)
    assert effective_dimensions(np.repeat(basis[:, :5], 6, 1)) == pytest.approx(5)
    assert effective_dimensions(np.ones((IMAGES, 4))) == 0


def test_a_layer_of_a_few_common_signals_is_not_described(evidence):
    """Units are mixtures of redness, cars and two signals more, as random filters mix colors."""
    rng = np.random.default_rng(4)
    signals = np.c_[standardized(evidence.columns[:, 2:]), rng.normal(size=(IMAGES, 2))]
    mixed = (signals @ rng.normal(size=(4, 60))).T
    graded = grade_layer(mixed + 0.1 * noise(60), evidence, RULE)
    assert counts(graded)["A"] == 0
    assert counts(graded)["B"] > 0
    trained = noise(60)
    trained[:10] += 4 * evidence.columns[:, 2]
    assert counts(grade_layer(trained, evidence, RULE))["A"] == 10
