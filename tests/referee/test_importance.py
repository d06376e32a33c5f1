"""Importance sampling of a costly judge: unbiased, and its interval covers."""

import numpy as np
import pytest

from milan_core.referee.importance import (
    draw,
    estimate,
    estimate_known,
    proposal,
    standardized,
)

DRAWS = 1000


def made(missed, flipped):
    """A unit, exact verdicts (4 % of the images), and a cheap judge that errs."""
    rng = np.random.default_rng(0)
    verdicts = (rng.random(2000) < 0.04).astype(float)
    a = np.maximum(0, rng.normal(size=2000) + 1.5 * verdicts - 0.5)
    cheap = np.where(rng.random(2000) < flipped, 1 - verdicts, verdicts)
    cheap[rng.permutation(np.flatnonzero(verdicts))[:missed]] = 0
    return a, verdicts, np.clip(cheap * 0.8 + rng.normal(0.05, 0.1, 2000), 0, 1)


@pytest.fixture(scope="module")
def unit():
    """The cheap judge is wrong in 2 % of the images."""
    return made(0, 0.02)


@pytest.fixture(scope="module")
def overlooked():
    """The cheap judge overlooks a tenth of the concept's images."""
    return made(8, 0.0)


def draws(unit, rule, known):
    a, verdicts, cheap = unit
    q, rng = proposal(a, cheap, rule), np.random.default_rng(1)
    z = standardized(verdicts)
    found = []
    for _ in range(DRAWS):
        drawn = draw(q, rng)
        given = z[drawn] if known else verdicts[drawn]
        found.append((estimate_known if known else estimate)(a, q, drawn, given))
    return found, float(np.corrcoef(a, verdicts)[0, 1])


@pytest.mark.parametrize("rule", ["product", "influence"])
def test_with_exact_standardized_verdicts_it_is_unbiased_and_covers(unit, rule):
    found, full = draws(unit, rule, known=True)
    values = np.array([one.value for one in found])
    assert abs(values.mean() - full) < 3.5 * values.std() / np.sqrt(DRAWS)
    assert np.mean([one.low <= full <= one.high for one in found]) >= 0.93


def test_with_verdicts_of_the_draws_alone_the_interval_covers(unit):
    found, full = draws(unit, "influence", known=False)
    assert abs(np.mean([one.value for one in found]) - full) < 0.01
    assert np.mean([one.low <= full <= one.high for one in found]) >= 0.93


def test_it_covers_where_the_cheap_judge_overlooks_images(overlooked):
    found, full = draws(overlooked, "influence", known=False)
    assert np.mean([one.low <= full <= one.high for one in found]) >= 0.93


def test_it_needs_far_fewer_images_than_uniform_draws(unit):
    a, verdicts, _ = unit
    found, _ = draws(unit, "influence", known=False)
    q, rng = np.full(2000, 1 / 2000), np.random.default_rng(2)
    uniform = []
    for _ in range(DRAWS):
        drawn = draw(q, rng)
        uniform.append(estimate(a, q, drawn, verdicts[drawn]).value)
    ours = np.std([one.value for one in found])
    assert np.nanvar(uniform) > 2 * ours**2


def test_all_images_once_give_the_correlation_itself():
    rng = np.random.default_rng(3)
    a, v = rng.normal(size=60), rng.random(60)
    q = np.full(60, 1 / 60)
    got = estimate(a, q, np.arange(60), v)
    assert got.value == pytest.approx(np.corrcoef(a, v)[0, 1])
    assert got.low < got.value < got.high
    known = estimate_known(a, q, np.arange(60), standardized(v))
    assert known.value == pytest.approx(got.value)


def test_proposals_are_probabilities_as_given():
    a, c = np.array([0.0, 0, 0, 4]), np.array([0, 0, 1, 1.0])
    q = proposal(a, c, "product", 0.2)
    product = np.abs(standardized(a) * standardized(c))
    np.testing.assert_allclose(q, 0.8 * product / product.sum() + 0.05)
    assert proposal(a, np.ones(4)).tolist() == [0.25] * 4
    assert proposal(a, c).sum() == pytest.approx(1)


def test_unanswered_and_constant_verdicts():
    a, q = np.arange(10.0), np.full(10, 0.1)
    v = np.array([0, 1, 0, 1, np.nan])
    got = estimate(a, q, np.arange(5), v)
    assert got.value == pytest.approx(estimate(a, q, np.arange(4), v[:4]).value)
    assert np.isnan(estimate(a, q, np.arange(5), np.ones(5)).value)
