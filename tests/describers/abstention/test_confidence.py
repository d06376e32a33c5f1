"""Confidence, threshold and their measures: exact cases, and properties against plain NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from milan_core.describers.abstention import conformal, reliability, stability
from milan_core.describers.abstention.confidence import fit_confidence, sigmoid


def drawn(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, 3] of which two tell, and right or wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) * [1, 10, 0.1] + [0, 5, -3]
    logit = 1 + x[:, 0] - 0.2 * (x[:, 1] - 5)
    return x, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float)


def test_the_fit_is_a_minimum() -> None:
    """The slope of the penalized loss vanishes, for any scale of the features."""
    x, y = drawn()
    fitted = fit_confidence(x, y, ridge=2.0)
    z = (x - x.mean(0)) / x.std(0)
    p = 1 / (1 + np.exp(-(z @ fitted.weights + fitted.intercept)))
    assert np.allclose(z.T @ (p - y) + 2 * fitted.weights, 0, atol=1e-8)
    assert abs((p - y).sum()) < 1e-7
    assert np.allclose(fitted.of(x), p)
    scaled = fit_confidence(x * [1, 100, 1] + 3, y, ridge=2.0)
    assert np.allclose(scaled.weights, fitted.weights)


def test_separable_units_and_a_constant_feature_end() -> None:
    """The ridge keeps weights finite; a constant feature has none."""
    x = np.c_[np.arange(20.0), np.full(20, 7.0)]
    y = (np.arange(20) >= 10).astype(float)
    fitted = fit_confidence(x, y)
    assert np.isfinite(fitted.weights).all()
    assert fitted.weights[1] == 0
    p = fitted.of(x)
    assert (p[10:] > 0.5).all()
    assert (p[:10] < 0.5).all()


def test_an_absent_feature_counts_as_its_mean() -> None:
    """NaN adds nothing, in the fit and in use."""
    x, y = drawn()
    x[::5, 1] = math.nan
    fitted = fit_confidence(x, y)
    mean = x.copy()
    mean[::5, 1] = np.nanmean(x[:, 1])
    assert np.allclose(fitted.of(x), fitted.of(mean))
    assert np.allclose(fit_confidence(mean, y).weights, fitted.weights)


def test_sigmoid_does_not_overflow() -> None:
    """Far out it is 0 and 1."""
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_is_the_smallest_that_keeps_the_risk(seed: int) -> None:
    """Against the definition, over every threshold, with equal confidences."""
    rng = np.random.default_rng(seed)
    m, alpha = int(rng.integers(5, 60)), float(rng.choice([0.05, 0.1, 0.3]))
    p = np.round(rng.random(m), 1)
    right = (rng.random(m) < 0.3 + 0.6 * p).astype(float)

    def allowed(t: float) -> bool:
        risk = np.mean((p >= t) & (right == 0))
        return bool(m / (m + 1) * risk + 1 / (m + 1) <= alpha + 1e-12)

    got = conformal.threshold(p, right, alpha)
    candidates = [t for t in [0.0, *np.unique(p), conformal.NOBODY] if allowed(t)]
    expected = min(candidates) if candidates else conformal.NOBODY
    assert ((p >= got) == (p >= expected)).all()


def test_the_bound_holds_over_draws() -> None:
    """Of exchangeable units at most alpha are answered wrongly on average (theorem 1)."""
    rng = np.random.default_rng(1)
    risks = []
    for _ in range(2000):
        p = rng.random(61)
        right = (rng.random(61) < p).astype(float)
        risks.append(p[60] >= conformal.threshold(p[:60], right[:60], 0.1) and right[60] == 0)
    assert np.mean(risks) <= 0.1 + 3 * math.sqrt(0.09 / 2000)
    assert np.mean(risks) >= 0.06  # and is not kept by silence


def test_too_few_units_answer_nobody() -> None:
    """1 / (m + 1) is already above alpha."""
    assert conformal.smallest_sample(0.05) == 19
    assert conformal.threshold(np.ones(18), np.ones(18), 0.05) == conformal.NOBODY
    assert conformal.threshold(np.ones(19), np.ones(19), 0.05) == 0


def test_measures_of_exact_cases() -> None:
    """AUROC, calibration error and accuracy at a coverage by hand."""
    p, right = np.array([0.9, 0.8, 0.35, 0.35]), np.array([1.0, 0.0, 1.0, 0.0])
    assert reliability.auroc(p, right) == (1 + 1 + 0 + 0.5) / 4
    assert reliability.calibration_error(p, right) == pytest.approx((0.1 + 0.8 + 0.3) / 4)
    assert reliability.accuracy_at(p, right, 0.25) == 1
    assert reliability.accuracy_at(p, right, 0.5) == 0.5
    assert reliability.accuracy_at(p, right, 0.75) == 0.5  # half of the two equal ones
    assert reliability.accuracy_at(p, right, 1) == 0.5
    assert math.isnan(reliability.calibration_error(np.zeros(0), np.zeros(0)))


def test_bootstraps_are_those_of_a_loop() -> None:
    """Wins are counted over resamples; their shares add up to 1."""
    rng = np.random.default_rng(2)
    signal, presence, offsets = rng.random(30), rng.random((30, 4)), rng.random(4) / 20
    counts = stability.resample_counts(30, 0, 50)
    assert (counts.sum(0) == 30).all()
    winners = [
        int(np.argmax([(signal * presence[:, d] * w).sum() / 30 + offsets[d] for d in range(4)]))
        for w in counts.T
    ]
    got = stability.wins(signal, presence, offsets, counts)
    assert np.allclose(got, np.bincount(winners, minlength=4) / 50)


def test_the_set_covers_nine_of_ten() -> None:
    """The most frequent texts first, no more than needed, none that never wins."""
    assert stability.covering([0.1, 0.6, 0.3, 0.0]) == (1, 2)
    assert stability.covering([0.5, 0.5]) == (0, 1)
    assert stability.covering([0.0, 0.95, 0.05]) == (1,)
    assert stability.covering([0.0, 0.0]) == ()
