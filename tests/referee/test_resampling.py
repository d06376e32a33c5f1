"""Resamples, splits and structure against plain references."""

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.exemplars.splits import SHARES, members, split_names
from milan_core.referee.metrics import average_precision, correlation
from milan_core.referee.resampling import Resamples, interval, intervals
from milan_core.referee.structure import clarity, monosemanticity, redundancy


@pytest.fixture
def data():
    rng = generator(0, "data")
    a = rng.random((300, 4)) ** 4
    c = (a > 0.5) * rng.random((300, 4)).round(1)
    a[:, 2] = 7.0
    c[:, 3] = 0.2
    return a, c


def test_resampled_scores_equal_scores_of_repeated_images(data):
    a, c = data
    resamples = Resamples(300, seed=5, count=8)
    r = resamples.correlation(a, c)
    for row in range(8):
        images = np.repeat(np.arange(300), resamples.counts[row])
        assert len(images) == 300
        expected = correlation(a[images], c[images])
        assert np.allclose(r[row], expected, atol=1e-9, equal_nan=True)
    label = a[:, 0] > 0.6
    values = resamples.average_precision(c[:, 0], label)
    for row in range(8):
        images = np.repeat(np.arange(300), resamples.counts[row])
        assert values[row] == pytest.approx(average_precision(c[images, 0], label[images]))


def test_one_ranking_serves_any_label(data):
    _, c = data
    resamples, rng = Resamples(300, seed=5, count=8), generator(1, "labels")
    ranked = resamples.ranked(c[:, 0])
    for share in (0.0, 0.1, 0.7, 1.0):
        label = rng.random(300) < share
        for one in (resamples.lift, resamples.average_precision):
            np.testing.assert_array_equal(one(c[:, 0], label, ranked), one(c[:, 0], label))


def test_intervals_of_many_are_those_of_each():
    drawn = generator(2, "intervals").random((50, 4))
    drawn[3, 1], drawn[:, 2] = np.nan, np.nan
    values = np.arange(4.0)
    expected = [interval(float(v), column) for v, column in zip(values, drawn.T, strict=True)]
    np.testing.assert_array_equal(
        [(one.value, one.low, one.high) for one in intervals(values, drawn)],
        [(one.value, one.low, one.high) for one in expected],
    )


def test_resamples_are_common_to_units_and_fixed_by_the_seed():
    one, other = Resamples(50, 1), Resamples(50, 1)
    assert np.array_equal(one.counts, other.counts)
    assert not np.array_equal(one.counts, Resamples(50, 2).counts)


def test_intervals_cover_the_truth():
    """Correlation .5 of normal pairs: 95 % intervals of 300 data sets cover it in 92 to 98 %."""
    covered = 0
    for trial in range(300):
        rng = generator(trial, "coverage")
        x = rng.standard_normal((250, 1))
        y = 0.5 * x + np.sqrt(0.75) * rng.standard_normal((250, 1))
        value = float(correlation(x, y)[0])
        found = interval(value, Resamples(250, trial).correlation(x, y)[:, 0])
        covered += found.low <= 0.5 <= found.high
    assert 0.92 <= covered / 300 <= 0.98


def test_splits_have_their_shares_and_share_no_image():
    names = split_names("abc", 20000)
    for name, share in SHARES.items():
        assert abs((names == name).mean() - share) < 0.01
    assert np.array_equal(split_names("abc", 20000)[:500], split_names("abc", 500))
    assert not np.array_equal(names, split_names("abd", 20000))
    every = np.concatenate([members("abc", 1000, name) for name in SHARES])
    assert sorted(every.tolist()) == list(range(1000))
    with pytest.raises(UserError, match="at least one image"):
        split_names("abc", 0)


def unit_rows(rng, n, d):
    v = rng.standard_normal((n, d))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_structure_equals_loops_over_pairs():
    rng = generator(3, "vectors")
    v = unit_rows(rng, 12, 5)
    cosines = [v[i] @ v[j] for i in range(12) for j in range(i)]
    assert clarity(v) == pytest.approx(np.mean(cosines))
    a = rng.random((12, 3))
    a[:, 2] = 1.0
    b = (a - a.min(0)) / np.maximum(a.max(0) - a.min(0), 1e-30)
    scores = monosemanticity(a, v)
    for unit in range(2):
        pairs = [(b[i, unit] * b[j, unit], v[i] @ v[j]) for i in range(12) for j in range(i)]
        expected = sum(w * s for w, s in pairs) / sum(w for w, _ in pairs)
        assert scores[unit] == pytest.approx(expected)
    assert np.isnan(scores[2])
    u = unit_rows(rng, 4, 3)
    others = [max(u[i] @ u[j] for j in range(4) if j != i) for i in range(4)]
    assert redundancy(u) == pytest.approx(np.mean(others))
    assert np.isnan(clarity(v[:1]))
