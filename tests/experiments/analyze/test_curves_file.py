"""Files of ablation curves that no table can be made of are refused."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.experiments.analyze.tables import _read_curves

COLUMNS = ("criterion", "order", "trial", "fraction", "accuracy")


def rows(trials, accuracy="0.5"):
    return [
        ("random", "random", trial, x, accuracy) for trial in range(trials) for x in ("0.0", "1.0")
    ]


def test_two_random_orders_are_read(tmp_path):
    write_csv(tmp_path / "a.csv", COLUMNS, rows(2))
    curves, fractions = _read_curves(tmp_path / "a.csv")
    assert fractions == [0, 1]
    assert next(iter(curves.values())).shape == (2, 2)


def test_one_random_order_is_refused(tmp_path):
    write_csv(tmp_path / "a.csv", COLUMNS, rows(1))
    with pytest.raises(UserError, match="one random order, at least two are needed"):
        _read_curves(tmp_path / "a.csv")


@pytest.mark.parametrize("cell", ["1e999", "nan"])
def test_an_accuracy_that_is_no_finite_number_is_refused(tmp_path, cell):
    write_csv(tmp_path / "a.csv", COLUMNS, rows(2, cell))
    with pytest.raises(ValueError, match=f"no finite number: '{cell}'"):
        _read_curves(tmp_path / "a.csv")
