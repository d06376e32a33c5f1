"""Analysis by ablation: every statistic on data whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from milan_core.experiments.analyze import curves, grammar, importance
from milan_core.experiments.analyze.criteria import STRUCTURAL, SYNTACTIC, Criterion, criteria
from milan_core.scoring.vectors import max_word_difference


def test_criteria_without_tools_are_length_and_queries():
    texts = ["Red dogs", "A wolf, a dog", "Texture", ""]
    found = {c.name: c for c in criteria(texts, None, None, {"dogs": ["dog", "wolf"]})}
    assert list(found) == ["length", "dogs"]
    assert found["length"].scores.tolist() == [2, 5, 1, 0], "punctuation is a token"
    assert found["dogs"].scores.tolist() == [1, 1, 0, 0]
    assert found["dogs"].matching.tolist() == [True, True, False, False]


class FakeParser:
    """Parses looked up in a table, as `Parser` would give them."""

    def parse(self, texts):
        known = {
            "red dogs": grammar.Parse(("red", "dogs"), ("ADJ", "NOUN"), 1),
            "dogs on dogs": grammar.Parse(("dogs", "on", "dogs"), ("NOUN", "ADP", "NOUN"), 2),
        }
        return [known[text] for text in texts]


def test_word_classes_are_counted():
    found = {c.name: c for c in criteria(["red dogs", "dogs on dogs"], FakeParser(), None, {})}
    assert {name: c.scores.tolist() for name, c in found.items()} == {
        "nouns": [1, 2],
        "verbs": [0, 0],
        "adjectives": [1, 0],
        "adpositions": [0, 1],
        "length": [2, 3],
        "parse-depth": [1, 2],
    }
    assert not found["verbs"].varies
    assert found["nouns"].varies
    assert found["nouns"].group == SYNTACTIC


def token(text, word_class, head=None, space=False):
    made = SimpleNamespace(text=text, pos_=word_class, is_space=space, children=[])
    made.head = head or made
    if head is not None:
        head.children.append(made)
    return made


def test_depth_is_that_below_the_last_root():
    first = token("Boats", "NOUN")
    deep = token("big", "ADJ", token("very", "ADV", first))
    dot = token(".", "PUNCT", first)
    last = token("dogs", "NOUN")
    red = token("red", "ADJ", last)
    parse = grammar._parse(
        [first, deep.head, deep, dot, last, red, token("  ", "SPACE", last, True)]
    )
    assert parse.depth == 1
    assert parse.tokens == ("Boats", "very", "big", ".", "dogs", "red")
    assert grammar._parse([first, deep.head, deep, dot]).depth == 2
    assert grammar._parse([token("dogs", "NOUN")]).depth == 0
    assert grammar._parse([]).depth == 0


def test_word_difference_is_the_largest_squared_distance():
    vectors = np.array([[1.0, 0], [0, 1], [-1, 0]], dtype=np.float32)
    assert max_word_difference(vectors) == 4
    assert max_word_difference(vectors[:2]) == 2
    assert max_word_difference(vectors[:1]) == 0


def test_the_top_fifth_never_splits_equal_scores():
    scores = np.array([0.0] * 6 + [1] * 3 + [2])
    assert Criterion("x", STRUCTURAL, scores).matching.sum() == 1, "4 of 10 is further off"
    scores = np.arange(10.0)
    assert Criterion("x", STRUCTURAL, scores).matching.tolist() == [False] * 8 + [True] * 2
    assert not Criterion("x", STRUCTURAL, np.ones(4)).matching.any()


def test_area_is_the_mean_height():
    flat = curves.area([0, 0.1, 0.4], np.array([[0.5, 0.5, 0.5]]))
    assert flat == pytest.approx([0.5])
    falling = curves.area([0, 0.5, 1], np.array([[1.0, 0.5, 0], [1, 0, 0]]))
    assert falling == pytest.approx([0.5, 0.25])


def test_outlier_p_is_the_t_prediction():
    sample = np.array([-1.0, 0, 1])  # mean 0, deviation 1; scale sqrt(4/3), 2 degrees of freedom
    t = 2 / np.sqrt(4 / 3)
    closed = 1 - t / np.sqrt(2 + t * t)  # survival of Student's t with 2 degrees, both sides
    assert curves.outlier_p(2.0, sample) == pytest.approx(closed)
    assert curves.outlier_p(0.0, sample) == 1
    assert np.isnan(curves.outlier_p(3.0, np.ones(5))), "undefined, and never 0"


def test_the_difference_that_would_be_seen_is_seen_four_times_in_five():
    draw = np.random.default_rng(3)
    hits = []
    for _ in range(1500):
        sample = draw.normal(size=20)
        value = curves.outlier_seen(sample) + draw.normal() * np.std(sample, ddof=1)
        hits.append(curves.outlier_p(value + sample.mean(), sample) < 0.05)
    assert 0.75 < np.mean(hits) < 0.87
    assert np.isnan(curves.outlier_seen(np.ones(5)))


def test_outlier_p_of_random_orders_is_level():
    draw = np.random.default_rng(0)
    p = [curves.outlier_p(x[0], x[1:]) for x in draw.normal(size=(2000, 21))]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_comparison_of_known_areas():
    random = np.array([0.5, 0.6, 0.4, 0.5, 0.5, 0.5])
    ours = np.array([0.2, 0.3])
    found = curves.compare(ours, random)
    assert found.difference == pytest.approx(-0.25)
    # Welch: squared errors .005 / 2 and .004 / 6, so 1.6 degrees of freedom
    error, degrees = np.sqrt(0.005 / 2 + 0.004 / 6), (19 / 6) ** 2 / (2.5**2 + (2 / 3) ** 2 / 5)
    assert found.p == pytest.approx(2 * stats.t.sf(0.25 / error, degrees))
    assert found.p == pytest.approx(stats.ttest_ind(ours, random, equal_var=False).pvalue)
    assert (found.low + found.high) / 2 == pytest.approx(-0.25)
    assert found.share_worse == 0
    assert found.outlier_p < 0.05
    assert curves.compare(random, random).difference == 0


def test_matched_areas_are_paired_with_the_order_they_follow():
    ours = np.array([0.1, 0.5])
    matched = np.array([0.2, 0.7, 0.4, 0.9, 0.3])  # trials 0, 2, 4 follow the first order
    found = curves.compare_matched(ours, matched)
    assert found.difference == pytest.approx(np.mean([0.1 - 0.3, 0.5 - 0.8]))
    paired = stats.ttest_rel(ours, [0.3, 0.8])
    assert found.p == pytest.approx(paired.pvalue)
    assert [found.low, found.high] == pytest.approx(list(paired.confidence_interval()))


def test_a_single_order_is_compared_with_the_spread_of_random_ones():
    random = np.array([0.5, 0.6, 0.4, 0.5])
    for compare in (curves.compare, curves.compare_matched):
        assert compare(np.array([0.3]), random).p == pytest.approx(
            stats.ttest_1samp(random, 0.3).pvalue
        )
    same = curves.compare(np.ones(3), np.ones(5))
    assert np.isnan(same.p)
    assert (same.low, same.high) == (0, 0)
    assert np.isnan(curves.compare(np.zeros(3), np.ones(5)).p), "no spread, no test: never p = 0"


@pytest.mark.parametrize("compared", [curves.compare, curves.compare_matched])
def test_comparisons_are_level_with_few_orders_against_many(compared):
    draw = np.random.default_rng(0)
    p = [compared(draw.normal(size=5), draw.normal(size=20)).p for _ in range(2000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_matched_comparison_is_level_when_orders_move_their_matched_ones():
    draw = np.random.default_rng(1)
    p = []
    for _ in range(2000):
        own = draw.normal(size=5)  # what an order and those matched to it share
        matched = np.resize(own, 20) + draw.normal(size=20)
        p.append(curves.compare_matched(own + draw.normal(size=5), matched).p)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_ranks_and_correlations():
    assert importance.ranks(np.array([3.0, 1, 3, 2])).tolist() == [3.5, 1, 3.5, 2]
    x = np.arange(6.0)
    assert importance.spearman(x, np.exp(x)) == pytest.approx(1)
    assert importance.spearman(x, -x) == pytest.approx(-1)
    assert np.isnan(importance.spearman(x, np.ones(6)))


def test_correlation_within_layers_ignores_differences_between_them():
    layers = np.array(["a"] * 4 + ["b"] * 4)
    scores = np.array([0.0, 1, 2, 3, 10, 11, 12, 13])
    # Higher in layer b, but falling with the score in each layer.
    values = np.array([3.0, 2, 1, 0, 13, 12, 11, 10])
    assert importance.spearman(scores, values) > 0.5
    assert importance.within_layers(scores, values, layers) == pytest.approx(-1)
    found = importance.correlate(scores, values, layers.tolist(), 0, "x")
    assert found.within == pytest.approx(-1)
    assert found.within_low == pytest.approx(-1)
    assert found.overall_low < found.overall < found.overall_high
