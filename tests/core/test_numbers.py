"""Sums that do not depend on the version of Python."""

from milan_core.core.numbers import added, counted


def test_added_rounds_after_every_addition():
    assert added([1e16, 1.0, 1.0, -1e16]) == 0.0  # exactly 2; `sum` says so since Python 3.12
    assert added([0.1] * 3) == 0.1 + 0.1 + 0.1
    assert added([]) == 0.0


def test_one_thing_has_no_plural():
    assert [counted(n, "unit") for n in (0, 1, 2)] == ["0 units", "1 unit", "2 units"]
