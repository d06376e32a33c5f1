"""Statistics of the audit against known answers."""

import math

import pytest
from scipy.stats import beta

from milan_core.experiments.audit import tables
from milan_core.experiments.audit.options import Pair
from milan_core.experiments.audit.section import _compare
from milan_core.scoring.proportions import (
    difference_interval,
    exact_interval,
    mean_interval,
    mean_test,
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


def test_mean_interval_is_students():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    reach = 4.302653 / math.sqrt(3)
    assert (mean, low, high) == pytest.approx((2.0, 2 - reach, 2 + reach), abs=1e-5)
    assert math.isnan(mean_interval([1.0])[1])


LAYERS = {name: {"a": 4, "b": 2} for name in ("o1", "c1", "o2", "c2", "o3", "c3")}
UNITS = [("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 0), ("b", 1)]
GROUPS = {name: dict(zip(UNITS, (0, 1, 2, 3, 0, 3), strict=True)) for name in LAYERS}
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


def test_shares_need_ten_units_and_groups_stand_beside():
    row = next(
        r for r in tables.count_rows(found(), LAYERS, GROUPS) if r[:3] == ["o1", "faces", "all"]
    )
    assert row[6:9] == ["", "", ""]
    assert row[9:] == [2, 4], "units a/3 and b/1 are one group"
    many = {"o1": {"a": 20}}
    row = tables.count_rows({("o1", "q", "truth"): [("a", 0)]}, many)[0]
    assert row[6:9] == [0.05, *exact_interval(1, 20)]


def test_changes_and_their_mean_over_pairs():
    rows = [
        dict(zip(tables.CHANGES, row, strict=True))
        for row in tables.change_rows(found(), GROUPS, PAIRS)
    ]
    table = {(row["pair"], row["layer"]): row for row in rows}
    one = table["p1", "all"]
    names = (
        "original",
        "changed",
        "units",
        "original_groups",
        "changed_groups",
        "groups",
        "change",
    )
    assert [one[name] for name in names] == [3, 1, 6, 2, 1, 4, 2]
    assert (one["p"], one["holm"]) == ("", ""), "one pair is a demonstration"
    ends = [4 * value for value in difference_interval((2, 4), (1, 4))[1:]]
    assert [one["low"], one["high"]] == pytest.approx(ends)
    over = table[tables.ALL, "all"]
    assert [over[name] for name in names] == [2.5, 0.5, 6, 2, 0.5, 4, 2]
    assert (over["low"], over["high"], over["p"]) == (*mean_interval([2, 2])[1:], "")
    alone = tables.change_rows(found(), GROUPS, PAIRS[:1])
    assert [row[0] for row in alone] == ["p1"] * 3


def test_three_pairs_are_tested_and_adjusted_over_queries_and_sources():
    pairs = [*PAIRS, Pair(name="p3", original="o3", changed="c3")]
    matches = {}
    for source in (tables.DESCRIPTION, tables.TRUTH):
        for name, count in (("o1", 5), ("o2", 4), ("o3", 5)):
            matches[name, "faces", source] = UNITS[:count]
            matches[name.replace("o", "c"), "faces", source] = []
    rows = [
        dict(zip(tables.CHANGES, row, strict=True))
        for row in tables.change_rows(matches, GROUPS, pairs)
    ]
    tested = [row for row in rows if row["pair"] == tables.ALL and row["layer"] == tables.ALL]
    p = mean_test([5, 4, 5])
    assert p == pytest.approx(0.00506, abs=1e-4)  # t = 14 / 3 / (1 / 3) = 14, 2 degrees
    assert [(row["p"], row["holm"]) for row in tested] == [(p, 2 * p)] * 2
    assert math.isnan(mean_test([3, 3, 3]))
    assert math.isnan(mean_test([1, 2]))


def test_no_units_at_all_claim_no_certainty():
    empty = {("o1", "q", "truth"): [], ("c1", "q", "truth"): []}
    row = dict(zip(tables.CHANGES, tables.change_rows(empty, GROUPS, PAIRS[:1])[-1], strict=True))
    assert row["change"] == 0
    assert row["low"] < 0 < row["high"]


def test_a_word_that_nobody_says_is_no_finding():
    row = {"pair": "twins", "low": "0", "high": "0", "original": "0", "changed": "0"}
    row |= {"units": "9", "original_groups": "0", "changed_groups": "0"}
    said = _compare("dogs", tables.DESCRIPTION, [row], None)
    assert "this is no finding: the captioner may not know these words" in said
    assert "demonstration" not in said
    one = {**row, "original": "1"}
    assert _compare("dogs", tables.DESCRIPTION, [one], None).endswith("demonstration, no test.")
