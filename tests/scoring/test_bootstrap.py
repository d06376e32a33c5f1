"""Intervals on data whose truth is known."""

import numpy as np
import pytest

from benchmarks.intervals import Case, cases
from milan_core.scoring.bootstrap import Bootstrap


def test_one_draw_is_the_plain_interval():
    values = np.random.default_rng(0).normal(size=40)
    bootstrap = Bootstrap(3, 500)
    low, high = bootstrap.interval(values, "x")
    assert bootstrap.crossed(values[None], None, "x") == pytest.approx((values.mean(), low, high))
    zero = np.zeros((1, 40))
    assert bootstrap.crossed(values[None], zero, "x") == pytest.approx((values.mean(), low, high))


def test_few_values_have_no_interval():
    mean, low, high = Bootstrap().crossed(np.ones((3, 1)), None)
    assert mean == 1
    assert np.isnan([low, high]).all()


def test_paired_intervals_cover_the_truth():
    draw = np.random.default_rng(1)
    covered = 0
    for turn in range(300):
        shared = draw.normal(size=60)
        ours, theirs = shared + draw.normal(0.3, 1, 60), shared + draw.normal(0, 1, 60)
        _, low, high = Bootstrap(turn, 300).paired(ours, theirs)
        covered += low <= 0.3 <= high
    assert 0.91 <= covered / 300 <= 0.98


@pytest.mark.parametrize("draws", [5, 20])
def test_intervals_over_draws_cover_the_mean_over_all_draws(draws):
    """Each draw of units has an accuracy of its own; images alone would not know it."""
    source, covered, alone = np.random.default_rng(draws), 0, 0
    for turn in range(300):
        rates = source.normal(0.5, 0.1, (draws, 1)).clip(0, 1)
        right = (source.random((draws, 200)) < rates).astype(float)
        _, low, high = Bootstrap(turn, 300).crossed(right, None)
        covered += low <= 0.5 <= high
        low, high = Bootstrap(turn, 300).interval(right.mean(axis=0))
        alone += low <= 0.5 <= high
    assert 0.92 <= covered / 300 <= 0.98
    assert alone / 300 < 0.7


def clustered(draw, clusters, effect=0.0):
    """Values 0, 1 or -1 of units of unequal clusters, and their cluster; each pulls its own way."""
    sizes = draw.geometric(1 / 6, clusters)
    of_unit = np.repeat(np.arange(clusters), sizes)
    pull = draw.normal(effect, 0.25, clusters)[of_unit]
    return np.sign(pull) * (draw.random(len(pull)) < np.abs(pull)), of_unit


@pytest.mark.parametrize("clusters", [18, 40])
def test_intervals_over_clusters_cover_the_truth_and_those_over_units_do_not(clusters):
    source, covered, plain = np.random.default_rng(clusters), 0, 0
    for turn in range(500):
        values, of_unit = clustered(source, clusters)
        bootstrap = Bootstrap(turn, 300)
        low, high = bootstrap.interval(values, clusters=of_unit)
        covered += low <= 0 <= high
        low, high = bootstrap.interval(values)
        plain += low <= 0 <= high
    assert 0.93 <= covered / 500 <= 0.97
    assert plain / 500 < 0.88


def test_the_test_over_clusters_holds_its_level_and_finds_a_planted_effect():
    source, false, plain, planted = np.random.default_rng(5), 0, 0, 0
    for turn in range(400):
        values, of_unit = clustered(source, 30)
        zero = np.zeros(len(values))
        false += Bootstrap(turn, 300).p_value(values, zero, clusters=of_unit) < 0.05
        plain += Bootstrap(turn, 300).p_value(values, zero) < 0.05
        values, of_unit = clustered(source, 30, effect=0.3)
        planted += Bootstrap(turn, 300).p_value(values, 0 * values, clusters=of_unit) < 0.05
    assert false / 400 <= 0.07
    assert plain / 400 > 0.15, "units as replicates would claim too much"
    assert planted / 400 > 0.9


@pytest.mark.parametrize(("seeds", "of_seed", "of_cluster"), [(5, 0.05, 0.25), (5, 0.2, 0.1)])
def test_intervals_over_seeds_and_clusters_cover_the_truth(seeds, of_seed, of_cluster):
    source, covered = np.random.default_rng(8), 0
    of_unit = np.repeat(np.arange(30), 10)
    for turn in range(500):
        values = source.normal(0, of_seed, (seeds, 1)) + source.normal(0, 0.4, (seeds, 300))
        values += source.normal(0, of_cluster, 30)[of_unit]
        _, low, high = Bootstrap(turn, 300).crossed(values, None, clusters=of_unit)
        covered += low <= 0 <= high
    assert 0.93 <= covered / 500 <= 0.975


def test_clusters_of_one_unit_are_units_and_one_cluster_has_no_interval():
    values = np.random.default_rng(0).normal(size=40)
    bootstrap = Bootstrap(3, 500)
    assert bootstrap.interval(values, clusters=np.arange(40)) == bootstrap.interval(values)
    assert np.isnan(bootstrap.interval(values, clusters=np.zeros(40, int))).all()
    assert np.isnan(bootstrap.p_value(values, values))


def test_few_different_values_are_resampled_by_their_counts_alike():
    """2,000 zeros and ones: the interval of the binomial share."""
    values = np.repeat([0.0, 1.0], [1400, 600])
    low, high = Bootstrap(0).interval(values)
    reach = 1.96 * np.sqrt(0.3 * 0.7 / 2000)
    assert (low, high) == pytest.approx((0.3 - reach, 0.3 + reach), abs=0.0015)


def test_one_draw_is_tested_by_flips_and_several_by_their_spread():
    source = np.random.default_rng(4)
    ours, theirs = source.normal(0.3, 1, (1, 50)), source.normal(0, 1, (1, 50))
    bootstrap = Bootstrap(1, 500)
    assert bootstrap.crossed_p(ours, theirs) == bootstrap.p_value(ours[0], theirs[0])
    moved = np.ones((4, 50)) + np.array([[-0.9], [0.9], [-0.8], [0.8]])
    assert bootstrap.crossed_p(moved, np.zeros((1, 50))) > 0.1, "seeds differ by as much"
    assert bootstrap.p_value(moved.mean(axis=0), np.zeros(50)) < 0.01
    assert np.isnan(bootstrap.crossed_p(np.ones((3, 1)), np.ones((1, 1))))


def test_the_simulation_of_the_page_holds_for_a_part_of_its_rows():
    """`python -m benchmarks.intervals` is the whole of it; its table is in docs/review.md."""
    rows = {case.name: case for case in cases()}
    assert {case.kind for case in rows.values()} == {"interval", "wide", "level", "power"}
    for name in (
        "accuracy, 30 concepts",
        "difference over 5 seeds (deviation 0.1), 30 concepts, .15",
        "test of 5 seeds (deviation 0.1), none",
        "mean of 5 networks, 10 planted",
        "area as one more random order, .2 planted",
    ):
        assert rows[name].holds(rows[name].rate(200), 200), name


def test_a_row_that_does_not_hold_is_told():
    interval = Case("x", "interval", lambda source, turn: turn % 10 > 0)
    assert interval.rate(100) == 0.9
    assert not interval.holds(0.9, 2000)
    assert not interval.holds(0.99, 2000)
    assert interval.holds(0.95, 2000)
    assert Case("x", "wide", interval.turn).holds(0.99, 2000)
    assert not Case("x", "level", interval.turn).holds(0.07, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_row_of_the_simulation_holds(case):
    assert case.holds(case.rate(2000), 2000)
