"""A judge beside the truth."""

import numpy as np
import pytest

from milan_core.referee.agreement import agreement, calibration_error

TRUTH = np.array([[1, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 0], [0, 1, 1, 0]], float)


def test_a_perfect_judge_agrees():
    same = agreement(TRUTH, TRUTH)
    assert same.texts == 3  # the third text is in every image
    assert (same.correlation, same.auc, same.error, same.calibration) == pytest.approx((1, 1, 0, 0))


def test_values_by_hand():
    ours = np.array([[0.9, 0.2], [0.1, 0.2], [0.9, 0.8], [0.1, 0.8]])
    got = agreement(ours, TRUTH[:, :2])
    assert got.error == pytest.approx((0.1 + 0.2) / 2)
    assert got.auc == 1
    assert got.bias == pytest.approx(0)
    assert got.calibration == pytest.approx((0.1 + 0.2) / 2)


def test_calibration_error_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    given, truth = rng.random(500), rng.random(500) < 0.3
    expected = 0.0
    for k in range(15):
        inside = (given >= k / 15) & (given < (k + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(given[inside].mean() - truth[inside].mean())
    assert calibration_error(given, truth.astype(float)) == pytest.approx(expected)


def test_columns_that_nobody_can_compare_are_left_out():
    ours = TRUTH.copy()
    ours[0, 1] = np.nan
    assert agreement(ours, TRUTH).texts == 2
    assert np.isnan(agreement(ours[:, 2:3], TRUTH[:, 2:3]).correlation)
