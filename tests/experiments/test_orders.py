"""Orders of units: by score with shuffled ties, at random, at random within layers."""

from itertools import product

import numpy as np

from milan_core.experiments import orders


def test_orders_follow_scores_and_shuffle_ties():
    scores = np.array([0.0, 2, 1, 2, 0, 0])
    seen = {tuple(orders.by_score(scores, 0, trial).tolist()) for trial in range(200)}
    wanted = {
        (*a, 2, *b)
        for a in [(1, 3), (3, 1)]
        for b in product((0, 4, 5), repeat=3)
        if len({*b}) == 3
    }
    assert seen == wanted, "all 12 orders of the ties, and no other"
    assert sorted(orders.random_order(6, 0, 1).tolist()) == list(range(6))


def test_matched_orders_take_as_many_units_of_every_layer():
    layers = ["a"] * 5 + ["b"] * 3 + ["a"] * 2
    order = orders.random_order(10, 3)
    different = 0
    for trial in range(20):
        matched = orders.layer_matched(order.tolist(), layers, 0, trial)
        assert sorted(matched.tolist()) == list(range(10))
        assert [layers[i] for i in matched] == [layers[i] for i in order]
        different += int(not np.array_equal(matched, order))
    assert different >= 18
