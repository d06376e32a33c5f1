"""What rules ask for."""

from milan_core.plan.resources import memory


def test_each_attempt_asks_for_as_much_again():
    assert [memory(4)(None, attempt) for attempt in (1, 2, 3)] == ["4GB", "8GB", "12GB"]
