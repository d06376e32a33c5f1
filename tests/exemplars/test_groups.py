"""Groups of units by shared exemplars, on networks whose streams are known."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from milan_core.exemplars.groups import distinct, shared, streams, unit_groups


def apart(units, k=15, start=0):
    """Units that share nothing."""
    return (start + np.arange(units * k)).reshape(units, k)


def test_a_third_of_shared_exemplars_makes_a_group():
    ids = apart(3)
    ids[1, :5], ids[2, :4] = ids[0, :5], ids[0, 5:9]
    groups = unit_groups({"a": ids})
    assert groups == {("a", 0): 0, ("a", 1): 0, ("a", 2): 1}
    assert shared(ids[0], ids[1]) == 5
    assert distinct([("a", 0), ("a", 1)], groups) == 1


def test_groups_do_not_chain():
    """Each neighbor shares a third; the ends share nothing and stay apart."""
    ids = apart(3)
    ids[1, :5], ids[2, 5:10] = ids[0, :5], ids[1, 5:10]
    assert list(unit_groups({"a": ids}).values()) == [0, 0, 1]


def test_channels_of_a_residual_stream_are_one_group_each():
    """Layer b is a's stream: most channels keep some pictures, one of them keeps none."""
    one, other = apart(20), apart(20, start=1000)
    two = apart(20, start=2000)
    two[:19, :4] = one[:19, :4]  # less than a third each
    ids = {"a": one, "b": two, "c": other}
    assert streams(ids) == {"a": "a", "b": "a", "c": "c"}
    groups = unit_groups(ids)
    assert all(groups["a", unit] == groups["b", unit] for unit in range(20))
    assert len(set(groups.values())) == 40


def test_layers_that_share_pictures_at_random_are_no_stream():
    draw = np.random.default_rng(0)
    ids = {name: draw.integers(0, 60, (20, 15)) for name in "ab"}
    assert streams(ids) == {"a": "a", "b": "b"}


def test_empty_slots_are_not_shared():
    ids = np.full((2, 6), -1)
    assert list(unit_groups({"a": ids}).values()) == [0, 1]


@given(st.integers(0, 30), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_every_unit_shares_a_third_with_the_first_of_its_group(seed, layers):
    draw = np.random.default_rng(seed)
    ids = {
        str(n): np.stack([draw.permutation(25)[:9] for _ in range(4 + n)]) for n in range(layers)
    }
    groups, firsts = unit_groups(ids), {}
    assert sorted(set(groups.values())) == list(range(len(set(groups.values()))))
    for (layer, unit), group in groups.items():
        first = firsts.setdefault(group, ids[layer][unit])
        assert shared(first, ids[layer][unit]) >= 3
