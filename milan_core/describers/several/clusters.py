"""Spherical k-means over a unit's images, and how many clusters there are (S6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.core.seeding import generator
from milan_core.describers.several.sampling import unit_rows

ROUNDS = 100  # of one k-means at most


@dataclass(frozen=True)
class ClusterRule:
    """When a unit has several clusters."""

    most: int = 5  # clusters
    seeds: int = 10  # starts of each k-means; the tightest counts
    silhouette: float = 0.15  # mean from which there are several clusters
    fewest: int = 10  # images of each cluster


def spherical_kmeans(vectors: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, float]:
    """Clusters of unit vectors by cosine, from a start with k-means++.

    Args:
        vectors: float32 [m, d], of length 1.
        k: clusters, at most m.
        seed: of the start.

    Returns:
        int64 [m], numbers of clusters from 0 in the order of their first image; and the sum of
        1 - cosine to the centers.

    """
    rng = generator(seed, "several labels", k)
    centers = vectors[[int(rng.integers(len(vectors)))]]
    while len(centers) < k:
        far = np.clip(1 - (vectors @ centers.T).max(1), 0, None).astype(np.float64)
        total = far.sum()
        chance = far / total if total > 0 else np.full(len(far), 1 / len(far))
        centers = np.vstack([centers, vectors[int(rng.choice(len(vectors), p=chance))]])
    labels = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        cosines = vectors @ centers.T
        now = cosines.argmax(1)
        if (now == labels).all():
            break
        labels = now
        for cluster in range(k):
            members = vectors[labels == cluster]
            if len(members):
                centers[cluster] = unit_rows(members.mean(0)[None])[0]
    inertia = float((1 - (vectors * centers[labels]).sum(1)).sum())
    return _in_order(labels), inertia


def _in_order(labels: np.ndarray) -> np.ndarray:
    _, first, back = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[back]


def silhouette(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette by cosine distance (Rousseeuw 1987); 0 for one cluster.

    An image alone in its cluster has 0.
    """
    clusters = np.unique(labels)
    if len(clusters) < 2:
        return 0.0
    distance = 1 - vectors @ vectors.T
    sums = np.stack([distance[:, labels == one].sum(1) for one in clusters], 1)
    sizes = np.array([(labels == one).sum() for one in clusters])
    own = np.searchsorted(clusters, labels)
    rows = np.arange(len(labels))
    # the distance to itself is 0, up to rounding
    inside = (sums[rows, own] - distance[rows, rows]) / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(1)
    spread = np.maximum(inside, outside)
    values = np.where(spread > 0, (outside - inside) / np.where(spread > 0, spread, 1), 0.0)
    return float(np.where(sizes[own] > 1, values, 0.0).mean())


def choose_clusters(vectors: np.ndarray, rule: ClusterRule, seed: int = 0) -> np.ndarray:
    """The clusters of a unit's images: int64 [m], all 0 where there is one.

    Of k from 2 to `most` the largest mean silhouette counts; one cluster where it is below the
    rule's, or where a cluster is smaller than the rule's.
    """
    vectors = unit_rows(vectors)
    best, kept = rule.silhouette, np.zeros(len(vectors), np.int64)
    for k in range(2, min(rule.most, len(vectors)) + 1):
        starts = [spherical_kmeans(vectors, k, seed + start) for start in range(rule.seeds)]
        labels = min(starts, key=lambda found: found[1])[0]
        sizes = np.bincount(labels, minlength=k)
        value = silhouette(vectors, labels)
        if sizes.min() >= rule.fewest and len(sizes) == k and value >= best:
            best, kept = value + 1e-9, labels
    return kept
