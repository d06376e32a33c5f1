"""What several describers say of a unit is scored once, with the scores that each would have."""

from __future__ import annotations

import numpy as np

from milan_core.core.seeding import generator
from milan_core.referee.metrics import HEADLINE, METRICS, Pair, firing
from milan_core.referee.network import score_together
from milan_core.referee.said import CONSTANT
from milan_core.referee.score import OTHERS, Scores
from milan_core.referee.scored import Explanation, Scored


class Counted:
    """Scores every explanation by its text, and counts them."""

    def __init__(self) -> None:
        self.asked: list[Explanation] = []

    def score(self, ones: list[Explanation], *, blocks: object = None) -> Scores:
        self.asked += ones
        found = {name: float(one.key[1]) for one in ones for name in OTHERS}
        rows = [Scored(one.key, one.description, "scored", others=dict(found)) for one in ones]
        sizes = [[len(one.description) + one.key[1]] * 3 for one in ones]
        values = np.array(sizes, np.float32).reshape(len(ones), 3).T
        return Scores(rows, dict.fromkeys(HEADLINE, values))


def test_equal_explanations_are_scored_once() -> None:
    first = [Explanation(("a", 0), ("dog",)), Explanation(("a", 1), ("cat",))]
    second = [Explanation(("a", 0), ("dog",)), Explanation(("a", 1), ("dogs",))]
    trivial = [Explanation(("a", 0), ("dog",)), Explanation(("a", 1), ("things",))]
    explained = {"one": first, "two": second, CONSTANT: trivial}
    bench = Counted()
    found = score_together(bench, explained)  # type: ignore[arg-type]
    assert len(bench.asked) == len(set(bench.asked)) == 4
    assert list(found) == list(explained)
    for name, ones in explained.items():
        alone = Counted().score(ones)
        assert [row.description for row in found[name].rows] == [o.description for o in ones]
        assert all(set(row.others) == set(OTHERS) for row in found[name].rows)  # trivial ones too
        for score in HEADLINE:
            np.testing.assert_array_equal(found[name].resampled[score], alone.resampled[score])


def test_shared_orders_change_no_metric() -> None:
    rng = generator(0, "pairs")
    a, c = rng.random(40).round(1), rng.random((2, 40)).round(1)
    fires = firing(a, 0.2)
    first = Pair(a, c[0], fires)
    for name in METRICS:
        METRICS[name](first)
    same_unit = Pair(a, c[1], fires).sharing(first, None)
    same_concept = Pair(a[::-1], c[0], fires[::-1]).sharing(None, first)
    for pair in (same_unit, same_concept, first.with_presence(c[1])):
        fresh = Pair(pair.a, pair.c, pair.b)
        for name in METRICS:
            np.testing.assert_array_equal(METRICS[name](pair), METRICS[name](fresh))
