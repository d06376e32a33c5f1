"""Intervals on data whose truth is known."""

import numpy as np
import pytest

from milan_core.scoring.bootstrap import Bootstrap


def test_one_draw_is_the_plain_interval():
    values = np.random.default_rng(0).normal(size=40)
    bootstrap = Bootstrap(3, 500)
    low, high = bootstrap.interval(values, "x")
    assert bootstrap.nested(values[None], None, "x") == pytest.approx((values.mean(), low, high))
    zero = np.zeros((1, 40))
    assert bootstrap.nested(values[None], zero, "x") == pytest.approx((values.mean(), low, high))


def test_few_values_have_no_interval():
    mean, low, high = Bootstrap().nested(np.ones((3, 1)), None)
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
        _, low, high = Bootstrap(turn, 300).nested(right, None)
        covered += low <= 0.5 <= high
        low, high = Bootstrap(turn, 300).interval(right.mean(axis=0))
        alone += low <= 0.5 <= high
    assert 0.87 <= covered / 300 <= 0.98
    assert alone / 300 < 0.7
