"""Metrics against exact small cases, slow references and properties."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from milan_core.referee.alpha import ALPHAS
from milan_core.referee.metrics import (
    METRICS,
    Pair,
    auc,
    average_precision,
    correlation,
    cosy_mad,
    firing,
    lift,
    mid_ranks,
    rank_of,
)


def pair(a, c, alpha=0.5):
    a = np.array(a, float)
    return Pair(a, np.array(c, float), firing(a, alpha))


def test_published_formulas_on_a_case_by_hand():
    """b = 1 1 0 0 0 0, z = 1 0 1 1 0 0: TP 1, nb 2, nz 3, n 6."""
    case = pair([9, 8, 1, 2, 3, 0], [1, 0, 1, 0.5, 0.4, 0], alpha=1 / 3)
    values = {name: METRICS[name](case) for name in METRICS}
    assert values["recall"] == 1 / 2
    assert values["precision"] == 1 / 3
    assert values["f1"] == pytest.approx(2 / 5)
    assert values["iou"] == pytest.approx(1 / 4)
    assert values["accuracy"] == pytest.approx((1 + 2) / 6)
    assert values["balanced accuracy"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert values["inverse balanced accuracy"] == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert values["mad"] == pytest.approx((9 + 1 + 2) / 3 - (8 + 3 + 0) / 3)
    a, c = case.a, case.c
    assert values["cosine"] == pytest.approx(a @ c / np.sqrt((a @ a) * (c @ c)))
    assert values["wpmi"] == pytest.approx(np.log([1, 1e-8]).mean() - np.log((2.9 + 2e-8) / 6))
    assert values["correlation"] == pytest.approx(np.corrcoef(a, c)[0, 1])


def test_firing_takes_the_largest_values_and_their_equals():
    a = np.array([[1.0, 5], [2, 5], [3, 1], [4, 0]])
    assert firing(a, 0.25)[:, 0].tolist() == [False, False, False, True]
    assert firing(a, 0.25)[:, 1].tolist() == [True, True, False, False]
    assert firing(a[:, 0], 0.26).tolist() == [False, False, True, True]


def test_a_share_of_round_numbers_is_a_whole_number():
    """.07 times 100 is 7.000000000000001 in binary fractions: seven images, not eight."""
    a = np.arange(100.0)
    assert firing(a, 0.07).sum() == 7
    assert firing(np.arange(101.0), 0.07).sum() == 8
    for alpha in ALPHAS:
        ranks = [rank_of(alpha, n) for n in range(20, 3000)]
        assert ranks == [math.ceil(Fraction(str(alpha)) * n) for n in range(20, 3000)]


def test_a_unit_that_rests_at_zero_fires_where_it_is_above():
    a = np.zeros(100)
    a[[3, 8]] = 0.5, 2
    assert np.flatnonzero(firing(a, 0.05)).tolist() == [3, 8]
    assert not firing(np.ones(10), 0.05).any()  # constant: it never fires


def test_constants_have_no_correlation_and_predict_nothing():
    a = np.array([[1.0, 7, 1e9], [2, 7, 1e9], [4, 7, 1e9]])
    c = np.array([[3.0, 1, 1], [3, 2, 2], [3, 3, 3]])
    values = correlation(a, c)
    assert values[0] == 0.0
    assert np.isnan(values[1:]).all()


def pairwise_auc(score, label):
    wins = [(x > y) + 0.5 * (x == y) for x in score[label] for y in score[~label]]
    return np.mean(wins)


def stepwise_precision(score, label):
    total, area, before = label.sum(), 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        chosen = score >= threshold
        hits = (chosen & label).sum()
        area += (hits / total - before) * hits / chosen.sum()
        before = hits / total
    return area


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=25))
def test_ranks_agree_with_slow_definitions(rows):
    score = np.array([s for s, _ in rows], float)
    label = np.array([b for _, b in rows])
    if label.any() and not label.all():
        assert auc(score, label) == pytest.approx(pairwise_auc(score, label))
    if label.any():
        assert average_precision(score, label) == pytest.approx(stepwise_precision(score, label))


@given(st.lists(st.integers(-3, 3), max_size=20))
def test_mid_ranks_are_those_of_scipy(values):
    given_values = np.array(values, float) / 3
    np.testing.assert_array_equal(mid_ranks(given_values), rankdata(given_values))
    assert np.isnan(mid_ranks(np.append(given_values, np.nan))).all()


def test_undefined_scores_are_nan_and_chance_has_no_lift():
    none = np.zeros(4, bool)
    assert np.isnan(auc(np.arange(4.0), none))
    assert np.isnan(average_precision(np.arange(4.0), none))
    assert average_precision(np.ones(8), np.arange(8) < 2) == pytest.approx(0.25)
    assert lift(0.25, 0.25) == 0
    assert lift(1.0, 0.25) == 1
    assert np.isnan(METRICS["mad"](pair([1, 2, 3, 4], [0, 0, 0, 0])))


def test_the_mad_of_cosy_is_in_deviations_of_the_control():
    control = np.array([0.0, 2, 4])
    assert cosy_mad(control, np.array([6.0])) == pytest.approx(2.0)
    assert cosy_mad(np.ones(5), np.array([6.0])) == 0.0
