"""Labels by clusters and by cover, on units that are known."""

import numpy as np
import pytest

from milan_core.describers.several.choosing import (
    CoverRule,
    cluster_labels,
    containment,
    cover_labels,
    merged,
    union,
)
from milan_core.describers.several.report import label_figures, least_squares

RULE = CoverRule()


@pytest.fixture(scope="module")
def columns():
    """Six independent concepts, a more general one (0 or 1 or 2), a synonym of 0, an unread one."""
    rng = np.random.default_rng(3)
    concepts = (rng.random((2000, 6)) < 0.2).astype(float)
    general = concepts[:, :3].max(1)
    synonym = np.where(rng.random(2000) < 0.02, 1 - concepts[:, 0], concepts[:, 0])
    return np.column_stack([concepts, general, synonym, np.full(2000, np.nan)])


def test_a_single_concept_has_one_label(columns):
    for concept in range(7):
        assert cover_labels(columns[:, concept], columns, RULE) == [concept]


def test_an_or_has_a_label_for_each_part(columns):
    assert sorted(cover_labels(columns[:, [3, 5]].max(1), columns, RULE)) == [3, 5]
    assert sorted(cover_labels(columns[:, [1, 4, 5]].max(1), columns, RULE)) == [1, 4, 5]


def test_parts_of_a_more_general_label_are_found(columns):
    """The best single label of 0 or 1 says more than is true."""
    a = columns[:, [0, 1]].max(1)
    found = cover_labels(a, columns, RULE)
    assert len(found) == 2
    assert 1 in found
    assert set(found) <= {0, 1, 7}


def test_and_count_and_weak_company_have_one_label(columns):
    assert len(cover_labels(columns[:, 3] * columns[:, 4], columns, RULE)) == 1
    assert cover_labels(columns[:, 3] * (1 + columns[:, 4]), columns, RULE) == [3]


def test_a_noisy_judge(columns):
    rng = np.random.default_rng(4)
    judged = np.clip(0.1 + 0.8 * columns + 0.1 * rng.standard_normal(columns.shape), 0, 1)
    noise = np.abs(rng.normal(0, 0.1, len(columns)))
    assert cover_labels(columns[:, 3] + noise, judged, RULE) == [3]
    assert sorted(cover_labels(columns[:, [3, 5]].max(1) + noise, judged, RULE)) == [3, 5]


def test_a_case_of_a_concept_is_no_second_label(columns):
    """Two halves of concept 3, and a judge that misses some of the whole, and of each half."""
    rng = np.random.default_rng(5)
    half = rng.random(2000) < 0.5
    whole, first, second = (np.where(rng.random(2000) < 0.08, 0, columns[:, 3]) for _ in range(3))
    judged = np.column_stack([columns[:, [0, 1, 2, 4]], whole, first * half, second * ~half])
    within = containment(judged)
    assert (within[4, 5:] > 0.8).all(), "both halves are cases of the whole"
    assert within[5, 4] == pytest.approx(0.45, abs=0.1)
    assert abs(within[0, 1]) < 0.1
    assert np.diag(within) == pytest.approx(1)
    assert cover_labels(columns[:, 3], judged, RULE) == [4]
    beside = columns[:, [0, 3]].max(1)
    assert sorted(cover_labels(beside, judged, RULE)) == [0, 4]


def test_noise_has_no_label(columns):
    rng = np.random.default_rng(6)
    many = (rng.random((1000, 50)) < 0.2).astype(float)
    counts = [len(cover_labels(rng.normal(size=1000), many, RULE)) for _ in range(40)]
    assert np.mean(counts) <= 0.1
    weak = columns[:, 3] + 4 * rng.normal(size=2000)
    assert cover_labels(weak, columns, RULE) == [3]


def test_nothing_to_choose_from(columns):
    assert cover_labels(np.ones(2000), columns, RULE) == []
    assert cover_labels(columns[:, 0], columns[:, 8:], RULE) == []
    assert cluster_labels(columns[:, 0], columns[:, 8:], np.arange(9), np.zeros(9, int)) == []


def test_clusters_are_labeled_against_one_another(columns):
    a = columns[:, [3, 5]].max(1)
    sampled = np.flatnonzero(a)
    clusters = np.where(columns[sampled, 3] > 0, 0, 1)
    assert sorted(cluster_labels(a, columns, sampled, clusters)) == [3, 5]
    assert cluster_labels(columns[:, 2], columns, sampled, np.zeros(len(sampled), int)) == [2]


def test_labels_that_are_alike_are_one(columns):
    assert merged([0, 7, 1], columns) == [0, 1]
    assert merged([0, 7, 1], columns, alike=1.0) == [0, 7, 1]


def test_the_figures_of_labels(columns):
    a = 2 * columns[:, 3] - 0.5 * columns[:, 4] + 7
    assert least_squares(a, columns[:, [3, 4]]) == pytest.approx([2, -0.5], abs=1e-5)
    parts = a, columns[:, [3, 4]]
    found = label_figures(parts, parts)
    assert found.together == pytest.approx(1)
    assert found.apart == pytest.approx(1, abs=0.1)
    either = columns[:, [3, 5]].max(1)
    found = label_figures((either, columns[:, [3, 5]]), (either, columns[:, [3, 5]]))
    assert found.covered == pytest.approx(1)
    expected = columns[:, [3, 5]].sum(0) / either.sum()
    assert found.shares == pytest.approx(expected)
    assert found.mean_alone == pytest.approx(found.alone.mean())
    single = label_figures((either, columns[:, [3]]), (either, columns[:, [3]]))
    assert np.isnan(single.apart)
    assert single.together == pytest.approx(single.alone[0])


def test_presence_of_any_label():
    assert union(np.array([[0, 0], [1, 0.5], [0.5, 0.5]])) == pytest.approx([0, 1, 0.75])
