"""Detection and discrimination on cases with known answers."""

import numpy as np
import pytest

from milan_core.referee.detection import (
    detect,
    detection,
    discrimination,
    nearest_units,
    sheets,
    sheets_apart,
    trial,
)


def test_images_come_from_every_decile_and_from_below_the_median():
    a = np.arange(2000.0)
    images = trial(a, 0, "layer", 3)
    assert len(images.firing) == 50
    assert len(images.quiet) == 50
    deciles = np.bincount((images.firing - 1900) // 10, minlength=10)
    assert (deciles == 5).all()
    assert a[images.quiet].max() <= np.median(a)
    assert images.between == pytest.approx(0.45)
    np.testing.assert_array_equal(images.firing, trial(a, 0, "layer", 3).firing)
    assert (images.firing != trial(a, 0, "layer", 4).firing).any()


def test_hard_images_are_nearest_to_the_firing_ones():
    rng = np.random.default_rng(0)
    a = np.concatenate([np.full(40, 5.0), np.zeros(760)])
    vectors = rng.normal(size=(800, 8))
    vectors[:40] = vectors[100:125] = np.eye(8)[0] * 10
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    images = trial(a, 0, vectors=vectors)
    assert set(range(100, 125)) <= set(images.quiet.tolist())
    assert len(images.quiet) == 50


def test_a_sparse_unit_has_a_trial_and_a_constant_one_has_none():
    a = np.zeros(1000)
    a[:7] = 1
    assert set(trial(a, 0).firing.tolist()) == set(range(7))
    assert trial(np.ones(1000), 0) is None


def test_values_by_hand():
    fires = np.array([True, True, False, False])
    got = detect(np.array([0.9, 0.4, 0.3, np.nan]), fires)
    assert (got.accuracy, got.auroc, got.unanswered) == (0.75, 1, 0.25)
    assert np.isnan(detect(np.full(4, np.nan), fires).accuracy)
    assert np.isnan(detect(np.ones(2), np.array([True, True])).auroc)


def test_truth_is_at_the_ceiling_and_noise_at_chance():
    rng = np.random.default_rng(1)
    a = np.maximum(0, rng.normal(size=4000) - 1)
    images = trial(a, 0)
    assert detection((a >= np.quantile(a, 0.95)).astype(float), images).accuracy == 1
    noise = [detection(rng.random(4000), trial(a, k)).auroc for k in range(40)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.03)


def test_nearest_unit_is_that_of_a_plain_correlation():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(6, 50))
    a[4] = a[1] * 3 + 0.1 * rng.normal(size=50)
    a[5] = 2
    expected = np.corrcoef(a[:5])
    np.fill_diagonal(expected, -9)
    assert nearest_units(a).tolist() == [*expected.argmax(1).tolist(), -1]
    assert nearest_units(a[:1]).tolist() == [-1]


def test_discrimination_prefers_the_units_own_sheet():
    a = np.array([[5, 4, 3, 0, 0, 0], [0, 0, 3, 4, 5, 0.0]])
    one, two = sheets(a, 3)
    assert one.tolist() == [0, 1, 2]
    assert two.tolist() == [4, 3, 2]
    c = np.array([1, 1, 1, 0, 0, 0.0])
    assert discrimination(c, *sheets_apart(one, two)) == 1
    assert discrimination(c, *sheets_apart(two, one)) == 0
    assert discrimination(np.ones(6), *sheets_apart(one, two)) == 0.5
    assert discrimination(c, *sheets_apart(one, one)) == 0.5
