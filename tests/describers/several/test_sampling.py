"""Images over a unit's range, its level, and vectors of masked parts."""

import numpy as np
import pytest

from milan_core.describers.several.sampling import masked_vectors, sample_above


def test_samples_are_even_over_the_quantiles():
    values = np.concatenate([np.zeros(500), np.arange(1, 1001) ** 3.0])
    found = sample_above(values, 0.0, most=11)
    np.testing.assert_array_equal(found, 500 + np.rint(np.linspace(0, 999, 11)).astype(int))
    np.testing.assert_array_equal(sample_above(values, values[-3]), [1498, 1499])
    assert len(sample_above(values, values.max())) == 0


def test_vectors_are_those_of_the_masked_cells():
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(3, 16, 5))
    masks = np.zeros((3, 8, 8), bool)
    masks[0, 2:4, 4:6] = True  # one cell: row 1, column 2
    masks[1, 0:2, 0:2], masks[1, 6, 6] = True, True  # a whole cell and a quarter of another
    found = masked_vectors(cells, masks)
    expected = [cells[0, 6], cells[1, 0] + cells[1, 15] / 4, cells[2].mean(0)]
    for row, vector in zip(found, expected, strict=True):
        assert row == pytest.approx(vector / np.linalg.norm(vector), abs=1e-6)
