"""Orders of the editing: importance, ties, controls, and the choice of the number of units."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from milan_core.experiments.edit import orders

UNITS = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]


def test_least_important_units_come_first():
    accuracy = np.array([0.3, 0.9, 0.5, 0.7, 0.1])
    assert orders.by_importance([0, 1, 4], accuracy, 0).tolist() == [1, 0, 4]


def test_early_layers_win_no_ties():
    accuracy = np.full(50, 0.5)
    first = [orders.by_importance(range(50), accuracy, seed)[0] for seed in range(40)]
    assert len(set(first)) > 15
    again = orders.by_importance(range(50), accuracy, 3)
    assert again.tolist() == orders.by_importance(range(50), accuracy, 3).tolist()


@given(st.permutations(range(5)), st.integers(0, 5), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_matched_controls_have_the_same_layers_at_every_length(order, length, seed):
    order = order[:length]
    for row in orders.matched_orders(order, UNITS, 3, seed):
        assert len(set(row.tolist())) == length
        assert [UNITS[place][0] for place in row] == [UNITS[place][0] for place in order]


def test_random_controls_are_drawn_without_replacement():
    rows = orders.random_orders(100, 30, 4, 0)
    assert rows.shape == (4, 30)
    assert all(len(set(row.tolist())) == 30 for row in rows)
    assert len({tuple(row) for row in rows.tolist()}) == 4


def test_the_number_of_units_has_the_best_mean_and_is_the_smaller_of_equals():
    assert orders.choose_count([0, 1, 2, 4], [0.9, 0.8, 0.8, 0.1], [0.1, 0.5, 0.5, 0.9]) == 1
    assert orders.choose_count([0, 1, 2], [0.9, 0.8, 0.7], [0.5, 0.5, 0.5]) == 0


def test_every_other_unit_of_a_layer():
    assert orders.others_of_layer(1, UNITS).tolist() == [[0], [2]]


def test_all_conditions():
    accuracy = np.array([0.1, 0.2, 0.9, 0.4, 0.5])
    found = orders.all_orders([0, 3], [3], accuracy, UNITS, 4, 2, 0)
    assert found[orders.TEXT].tolist() == [[3, 0]]
    assert found[orders.TRUTH].tolist() == [[3]]
    assert found[orders.ALL].tolist() == [[2, 4]]
    assert found[orders.OTHERS].tolist() == [[2, 4]]
    assert sorted(map(sorted, found[orders.SHUFFLED].tolist())) == [[0, 3], [0, 3]]
    assert found[orders.RANDOM].shape == found[orders.MATCHED].shape == (2, 2)
    assert orders.TRUTH not in orders.all_orders([0], None, accuracy, UNITS, 4, 2, 0)
    assert orders.all_orders([0, 1, 3], None, accuracy, UNITS, 2, 1, 0)[orders.TEXT].shape == (1, 2)
