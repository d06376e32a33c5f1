"""Statistics of the audit against known answers."""

import math

import pytest
from scipy.stats import beta, hypergeom

from milan_core.experiments.audit import tables
from milan_core.experiments.audit.options import Pair
from milan_core.experiments.audit.section import _compare
from milan_core.scoring.proportions import (
    difference_interval,
    exact_interval,
    exact_test,
    mean_interval,
)


def test_exact_interval_is_clopper_pearson():
    low, high = exact_interval(3, 20)
    assert low == pytest.approx(beta.ppf(0.025, 3, 18))
    assert high == pytest.approx(beta.ppf(0.975, 4, 17))
    assert exact_interval(0, 10) == (0.0, pytest.approx(1 - 0.025**0.1))
    assert all(map(math.isnan, exact_interval(0, 0)))


def test_difference_interval_reproduces_the_published_example():
    # Newcombe 1998, table II, method 10: 56/70 against 48/80, and 10/10 against 0/10
    assert difference_interval((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    value, low, high = difference_interval((10, 10), (0, 10))
    assert (value, high) == pytest.approx((1.0, 1.0))
    assert low == pytest.approx(0.6075, abs=5e-5)


def test_exact_test_is_fishers():
    # one of 2 x 2 tables with margins 4, 4, 4, 4: 2 * P(4 of 4) = 2 / 70
    assert exact_test((4, 4), (0, 4)) == pytest.approx(2 / 70)
    assert exact_test((4, 4), (0, 4)) == pytest.approx(2 * hypergeom(8, 4, 4).pmf(4))
    assert exact_test((5, 9), (5, 9)) == pytest.approx(1.0)


def test_mean_interval_is_students():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    reach = 4.302653 / math.sqrt(3)
    assert (mean, low, high) == pytest.approx((2.0, 2 - reach, 2 + reach), abs=1e-5)
    assert math.isnan(mean_interval([1.0])[1])


LAYERS = {name: {"a": 4, "b": 2} for name in ("o1", "c1", "o2", "c2")}
PAIRS = [
    Pair(name="p1", original="o1", changed="c1"),
    Pair(name="p2", original="o2", changed="c2"),
]


def found():
    kind = tables.DESCRIPTION
    return {
        ("o1", "faces", kind): [("a", 0), ("a", 3), ("b", 1)],
        ("c1", "faces", kind): [("a", 0)],
        ("o2", "faces", kind): [("b", 0), ("b", 1)],
        ("c2", "faces", kind): [],
    }


def test_counts_per_layer_add_up():
    rows = tables.count_rows(found(), LAYERS)
    table = {tuple(row[:3]): row[3:5] for row in rows}
    assert table["o1", "faces", "a"] == [2, 4]
    assert table["o1", "faces", "b"] == [1, 2]
    assert table["o1", "faces", tables.ALL] == [3, 6]
    assert table["c2", "faces", tables.ALL] == [0, 6]


def test_changes_and_their_mean_over_pairs():
    rows = tables.change_rows(found(), LAYERS, PAIRS)
    table = {(row[0], row[3]): row for row in rows}
    assert table["p1", "all"][4:8] == [3, 1, 6, 2]
    assert table["p1", "all"][10] == pytest.approx(exact_test((3, 6), (1, 6)))
    mean, low, high = mean_interval([2, 2])
    assert table[tables.ALL, "all"][4:] == [2.5, 0.5, 6, mean, low, high, ""]
    assert [row[0] for row in tables.change_rows(found(), LAYERS, PAIRS[:1])] == ["p1"] * 3


def test_no_units_at_all_claim_no_certainty():
    empty = {("o1", "q", "truth"): [], ("c1", "q", "truth"): []}
    row = tables.change_rows(empty, LAYERS, PAIRS[:1])[-1]
    assert row[7] == 0
    assert row[8] < 0 < row[9]


def test_a_word_that_nobody_says_is_no_finding():
    row = {"pair": "twins", "low": "0", "high": "0", "original": "0", "changed": "0"}
    said = _compare("dogs", tables.DESCRIPTION, [row], None)
    assert "this is no finding: the captioner may not know these words" in said
    assert "No pair differs clearly" not in said
    one = {**row, "original": "1"}
    assert _compare("dogs", tables.DESCRIPTION, [one], None).endswith("No pair differs clearly.")
