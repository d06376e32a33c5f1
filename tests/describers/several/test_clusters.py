"""Spherical k-means and the number of clusters."""

import numpy as np
import pytest

from milan_core.describers.several.clusters import (
    ClusterRule,
    choose_clusters,
    silhouette,
    spherical_kmeans,
)
from milan_core.describers.several.sampling import unit_rows


def blobs(sizes, spread, seed=0):
    rng = np.random.default_rng(seed)
    centers = np.eye(8)[: len(sizes)]
    rows = np.repeat(centers, sizes, 0) + spread * rng.normal(size=(sum(sizes), 8))
    return unit_rows(rows), np.repeat(np.arange(len(sizes)), sizes)


def test_separate_clusters_are_found():
    vectors, truth = blobs((40, 25, 30), 0.05)
    np.testing.assert_array_equal(choose_clusters(vectors, ClusterRule()), truth)
    order = np.random.default_rng(1).permutation(len(truth))
    mixed = choose_clusters(vectors[order], ClusterRule())
    assert len({(int(a), int(b)) for a, b in zip(mixed, truth[order], strict=True)}) == 3


def test_one_cloud_is_one_cluster():
    """In many dimensions; in few of them the rule's silhouette is too low, by cosine."""
    rng = np.random.default_rng(0)
    cloud = unit_rows(np.eye(64)[:1] + 0.05 * rng.normal(size=(80, 64)))
    assert not choose_clusters(cloud, ClusterRule()).any()
    assert choose_clusters(unit_rows(cloud[:, :4]), ClusterRule()).any()


def test_small_clusters_do_not_count():
    vectors, _ = blobs((80, 9), 0.02)
    assert not choose_clusters(vectors, ClusterRule(most=2)).any()
    assert choose_clusters(vectors, ClusterRule(most=2, fewest=9)).sum() == 9
    assert not choose_clusters(vectors, ClusterRule(most=2, fewest=9, silhouette=0.999)).any()


def test_few_images_have_no_clusters():
    assert choose_clusters(np.zeros((0, 3)), ClusterRule()).shape == (0,)
    assert not choose_clusters(np.eye(3), ClusterRule()).any()


def test_the_silhouette_is_the_published_one():
    vectors, labels = blobs((5, 4, 1), 0.3)
    distance = 1 - vectors.astype(np.float64) @ vectors.T
    values = []
    for i, own in enumerate(labels):
        same = [distance[i, j] for j in range(10) if labels[j] == own and j != i]
        if not same:
            values.append(0)
            continue
        a = np.mean(same)
        b = min(distance[i, labels == other].mean() for other in {0, 1, 2} - {int(own)})
        values.append((b - a) / max(a, b))
    assert silhouette(vectors, labels) == pytest.approx(np.mean(values), abs=1e-5)
    assert silhouette(vectors, np.zeros(10, int)) == 0


def test_a_start_is_repeated_exactly():
    vectors, _ = blobs((30, 30), 0.4)
    one, other = (spherical_kmeans(vectors, 3, 5) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]
