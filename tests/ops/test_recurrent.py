"""The fused pieces of the captioner's steps against their NumPy meaning."""

import numpy as np
import pytest

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.ops import recurrent
from milan_core.ops.reference import recurrent as recurrent_reference

F = np.float32


def numbers(rng, *shape, spread=1.0):
    return (spread * rng.normal(size=shape)).astype(F)


def attend(query, gate, *given, threads=1):
    count, exemplars, size = len(query), given[1].shape[1], gate.shape[1]
    weights, gated = np.full((count, exemplars), np.nan, F), np.full((count, size), np.nan, F)
    recurrent.attend(query, gate, *given, weights=weights, gated=gated, threads=threads)
    return weights, gated


@pytest.mark.parametrize("spread", [1e-4, 1.0, 40.0])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 17), (15, 64, 130)])
def test_attention(isa, sizes, spread):
    exemplars, width, size = sizes
    rng = np.random.default_rng(width)
    wide = numbers(rng, 40, width + size + 3, spread=spread)  # rows that are apart
    query, gate = wide[:, :width], wide[:, width : width + size]
    units = np.sort(rng.integers(0, 4, 40))
    keys, features = (numbers(rng, 4, exemplars, n, spread=spread) for n in (width, size))
    given = (units, keys, features, numbers(rng, width), numbers(rng, size))
    found = attend(query, gate, *given)
    exact = (x.astype(float) if x.dtype == F else x for x in (query, gate, *given))
    wanted = recurrent_reference.attend(*exact)
    np.testing.assert_allclose(found[0], wanted[0], rtol=2e-5, atol=2e-7 * spread)
    np.testing.assert_allclose(found[1], wanted[1], rtol=2e-5, atol=4e-6 * spread)
    for mine, theirs in zip(attend(query, gate, *given, threads=3), found, strict=True):
        assert mine.tobytes() == theirs.tobytes()


def cell(left, left_row, right, right_row, c, c_row, threads=1):
    new_h, new_c = np.full((2, len(c_row), c.shape[1]), np.nan, F)
    out = {"new_h": new_h, "new_c": new_c, "threads": threads}
    recurrent.lstm_cell(left, left_row, right, right_row, c, c_row, **out)
    return new_h, new_c


@pytest.mark.parametrize("hidden", [1, 7, 48])
def test_cell(isa, hidden):
    rng = np.random.default_rng(hidden)
    left, right = numbers(rng, 9, 4 * hidden + 5, spread=4)[:, 5:], numbers(rng, 6, 4 * hidden)
    c = numbers(rng, 5, hidden, spread=3)
    rows = [rng.integers(0, n, 50) for n in (9, 6, 5)]
    found = cell(left, rows[0], right, rows[1], c, rows[2])
    gates = left[rows[0]].astype(float) + right[rows[1]]
    for mine, theirs in zip(
        found, recurrent_reference.lstm_cell(gates, c[rows[2]].astype(float)), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=4e-6, atol=2e-6)
    for mine, theirs in zip(
        cell(left, rows[0], right, rows[1], c, rows[2], threads=2), found, strict=True
    ):
        assert mine.tobytes() == theirs.tobytes()


def test_extremes_saturate(isa):
    values = np.array(
        [0, -0.0, 1e-30, -1e-30, 1e-4, 0.625, -0.625, 9, -9, 88, -200, 1e30, -1e30], F
    )
    blank = np.zeros((1, 4 * len(values)), F)
    left, one = blank.copy(), np.zeros(1, np.int64)
    left[0, 2 * len(values) : 3 * len(values)] = values  # tanh of the content
    left[0, : len(values)] = 100  # an input gate of 1
    _, content = cell(left, one, blank, one, np.zeros((1, len(values)), F), one)
    np.testing.assert_allclose(content[0], np.tanh(values.astype(float)), rtol=6e-7)
    left = blank.copy()
    left[0, len(values) : 2 * len(values)] = values  # the forget gate
    _, kept = cell(left, one, blank, one, np.ones((1, len(values)), F), one)
    wanted = 1 / (1 + np.exp(-np.maximum(values.astype(float), -87)))
    np.testing.assert_allclose(kept[0], wanted, rtol=6e-7)


def test_wrong_arguments_are_refused():
    rng = np.random.default_rng(0)
    good = [numbers(rng, 2, 3), numbers(rng, 2, 4), np.zeros(2, np.int64), numbers(rng, 1, 5, 3)]
    good += [numbers(rng, 1, 5, 4), numbers(rng, 3), numbers(rng, 4)]
    for place, change, words in (
        (2, np.ones(2, np.int64), "outside"),
        (5, numbers(rng, 2), "expected keys"),
        (0, np.zeros((2, 3)), "float32"),
    ):
        bad = [change if i == place else array for i, array in enumerate(good)]
        with pytest.raises((UserError, IndexError, ValueError), match=words):
            attend(*bad)


def test_every_instruction_set_gives_the_same_bytes(monkeypatch):
    rng = np.random.default_rng(0)
    units, rows = rng.integers(0, 3, 40), rng.integers(0, 40, 40)
    query, gate = numbers(rng, 40, 77), numbers(rng, 40, 200)
    given = (units, numbers(rng, 3, 15, 77), numbers(rng, 3, 15, 200), numbers(rng, 77))
    gates, c = numbers(rng, 40, 4 * 39), numbers(rng, 40, 39)
    bias, found = numbers(rng, 200), set()
    for name in ops.facts()["cpu_features"]:
        monkeypatch.setenv("MILAN_ISA", name)
        arrays = [*attend(query, gate, *given, bias), *cell(gates, rows, gates, rows, c, rows)]
        found.add(b"".join(array.tobytes() for array in arrays))
    assert len(found) == 1
