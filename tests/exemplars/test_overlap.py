"""What training knew of a tested unit, on exemplars that are known."""

import numpy as np

from milan_core.exemplars.overlap import overlaps

IDS = {
    "net": {"a": np.array([[0, 1, 2, 3, 4, 5], [0, 1, 9, 10, 11, 12], [20, 21, 22, 23, 24, -1]])},
    "other": {"x": np.array([[0, 1, 2, 30, 31, 32], [3, 33, 34, 35, 36, 37]])},
}


def test_seen_exemplars_and_the_nearest_training_unit():
    training = [("other", ("x", 0)), ("other", ("x", 1)), ("elsewhere", ("y", 5))]
    found = overlaps("net", [("a", 0), ("a", 1), ("a", 2)], IDS["net"], IDS, training)
    one = found["a", 0]
    assert (one.seen, one.nearest, one.unit) == (4 / 6, 3 / 6, ("other", ("x", 0)))
    assert one.related
    assert not one.duplicate
    assert (found["a", 1].seen, found["a", 1].nearest) == (2 / 6, 2 / 6)
    none = found["a", 2]
    assert none == (0, 0, None, False, False)


def test_two_thirds_are_a_near_duplicate():
    learned = {"other": {"x": np.array([[0, 1, 2, 3, 40, 41]])}}
    found = overlaps("net", [("a", 0)], IDS["net"], learned, [("other", ("x", 0))])
    assert found["a", 0].duplicate


def test_the_same_channel_of_a_stream_is_a_relative():
    one = np.arange(120).reshape(20, 6)
    two = 200 + np.arange(120).reshape(20, 6)
    two[:19, 0] = one[:19, 0]  # a sixth of the exemplars: less than a third
    own = {"a": one, "b": two}
    found = overlaps("net", [("b", 3), ("b", 4)], own, {"net": own}, [("net", ("a", 3))])
    assert found["b", 3].related
    assert found["b", 3].nearest == 1 / 6
    assert not found["b", 4].related


def test_a_captioner_of_another_run_may_know_the_network_by_other_exemplars():
    """With `exemplars.half` no tested exemplar was seen, also within a network."""
    own = {"a": np.array([[0, 1, 2], [1, 2, 3]])}
    other = {"net": {"a": np.array([[10, 11, 12], [11, 12, 13]])}}
    training = [("net", ("a", 1))]
    apart = overlaps("net", [("a", 0)], own, other, training)["a", 0]
    assert (apart.seen, apart.nearest, apart.unit) == (0, 0, None)
    assert overlaps("net", [("a", 0)], own, {"net": own}, training)["a", 0].seen == 2 / 3
