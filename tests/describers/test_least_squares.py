"""Sparse least squares: exact sums, weights as NumPy's, ties, signs, collinear and dead columns."""

from __future__ import annotations

import numpy as np
import pytest

from milan_core.describers.least_squares import greedy, moments, solve


def data(images: int = 400, words: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Presence [images, words], and activations that follow three of the words."""
    rng = np.random.default_rng(seed)
    columns = rng.random((images, words)).astype(np.float32)
    noise = 0.1 * rng.standard_normal(images)
    follows = 2 * columns[:, 3] - 1.5 * columns[:, 7] + columns[:, 1] + noise
    return columns, np.stack([follows, rng.standard_normal(images)], 1).astype(np.float32)


def test_words_signs_and_weights_are_those_of_least_squares() -> None:
    """The three words, in the order of what they explain; weights as `lstsq` has them."""
    columns, targets = data()
    of = moments(columns, targets)
    found = greedy(of, 0)
    assert found.columns[:3].tolist() == [3, 7, 1]
    x, y = columns[:, found.columns].astype(float), targets[:, 0].astype(float)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(found.weights, expected, atol=2e-4)
    np.testing.assert_allclose(found.correlation, np.corrcoef(x @ expected, y)[0, 1], atol=1e-4)
    assert len(greedy(of, 1, gain=0.05).columns) <= len(greedy(of, 1, gain=0).columns) <= 5


def test_the_same_bytes_whatever_the_order_of_the_sums() -> None:
    """Sums of whole numbers are exact: images in another order change no bit."""
    columns, targets = data(images=997)
    order = np.random.default_rng(1).permutation(997)
    one, other = moments(columns, targets), moments(columns[order], targets[order])
    for name in ("gram", "cross", "deviation", "spread"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    assert greedy(one, 0).weights.tobytes() == greedy(other, 0).weights.tobytes()


def test_ties_go_to_the_smaller_index_and_copies_are_never_both_taken() -> None:
    """Column 9 repeats column 3; a constant column and a constant target explain nothing."""
    columns, targets = data()
    columns[:, 9], columns[:, 0] = columns[:, 3], 0.5
    targets[:, 1] = 7
    of = moments(columns, targets)
    found = greedy(of, 0)
    assert found.columns[0] == 3
    assert not {9, 0} & set(found.columns.tolist())
    assert greedy(of, 1).columns.size == 0
    assert np.isfinite(of.gram).all()


def test_the_first_word_has_a_positive_weight() -> None:
    """A unit that only avoids a word begins with what it follows most."""
    columns, _ = data()
    target = -3 * columns[:, 5] + 0.5 * columns[:, 2]
    found = greedy(moments(columns, target[:, None]), 0)
    assert found.columns[0] == 2
    assert found.columns[1] == 5
    assert found.weights[1] < 0 < found.weights[0]


def test_collinear_columns_are_solved_with_a_ridge() -> None:
    """Equal columns share the weight; a regular system has no ridge."""
    weights = solve(np.ones((2, 2)), np.array([0.8, 0.8]))
    np.testing.assert_allclose(weights, [0.4, 0.4], rtol=1e-5)
    regular = np.array([[1, 0.5], [0.5, 1]])
    np.testing.assert_allclose(
        solve(regular, np.array([0.3, 0.6])), np.linalg.solve(regular, [0.3, 0.6]), rtol=1e-14
    )


def test_too_many_images_for_exact_sums_are_refused() -> None:
    """Beyond 2^20 images a sum may round."""
    many = np.broadcast_to(np.float32(0.5), (2**20 + 1, 1))
    with pytest.raises(ValueError, match="exact for 1048576"):
        moments(many, many)
