"""Labels of one unit out of candidates with judged columns: by clusters (S6), or by cover.

    labels = cluster_labels(a, columns, sampled, clusters)   # as published: a label a cluster
    labels = cover_labels(a, columns, CoverRule())           # each label must fire the unit alone

Both return columns of `columns`, the leading label first. `columns` are float [n, T]: how much of
each candidate a judge sees in each of n images, NaN where it cannot read the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.referee.metrics import correlation

STARTS = 3  # best single labels from which lists grow
ALIKE = 0.8  # correlation of two labels' columns from which they are one (S6)


@dataclass(frozen=True)
class CoverRule:
    """When another label is added to those of a unit.

    Attributes:
        most: labels.
        alike: correlation of columns from which two labels are one.
        within: how far one label's presence rises where another is seen, from its mean (0) to where
            it is seen itself (1), from which the other is a case of it.
        lift: the unit's mean where the label is seen and no other label is, from 0 (where no label
            is seen) to 1 (where the other labels are seen), from which it fires the unit alone.
        gain: what it must add to the correlation of the list.
        fewest: images that show it and no other label (sum of the judged presence).

    """

    most: int = 5
    alike: float = ALIKE
    within: float = 0.8
    lift: float = 0.2
    gain: float = 0.015
    fewest: float = 10


def union(columns: np.ndarray) -> np.ndarray:
    """Presence of any of some labels: 1 - product of absences, float64 [n] of [n, labels]."""
    return np.asarray(1 - np.prod(1 - np.asarray(columns, np.float64), axis=1))


def readable(columns: np.ndarray) -> np.ndarray:
    """Candidates that the judge reads and that are not equally present everywhere: bool [T]."""
    finite = np.isfinite(columns).all(0)
    spread = np.ptp(np.where(finite, columns, 0.0), axis=0)
    return finite & (spread > 0)


def containment(columns: np.ndarray) -> np.ndarray:
    """The presence of label i where label j is: float64 [T, T].

    0 where j tells nothing of i, 1 where i is seen as much as where it is seen itself: then j is a
    case of i, as red squares are of squares.
    """
    seen = np.asarray(columns, np.float64)
    mean, total = seen.mean(0), np.maximum(seen.sum(0), 1e-12)
    there = (seen.T @ seen) / total  # of i, weighted by j
    own = np.diag(there) - mean
    return np.asarray((there - mean[:, None]) / np.where(own > 0, own, np.inf)[:, None])


def cluster_labels(
    a: np.ndarray, columns: np.ndarray, sampled: np.ndarray, clusters: np.ndarray
) -> list[int]:
    """One label a cluster, chosen against the other clusters; labels that are alike are merged.

    Args:
        a: float [n], the unit's values.
        columns: float [n, T], candidates.
        sampled: int64 [m], positions of the images that were clustered.
        clusters: int64 [m], numbers from 0.

    Returns:
        Columns, those of large clusters first; for a single cluster the best correlation.

    """
    usable = readable(columns)
    if not usable.any():
        return []
    if clusters.max(initial=0) == 0:
        values = correlation(np.repeat(a[:, None], columns.shape[1], 1), columns)
        return [int(np.where(usable & np.isfinite(values), values, -np.inf).argmax())]
    seen, found = columns[sampled], []
    sizes = np.bincount(clusters)
    for cluster in np.argsort(-sizes, kind="stable"):
        inside = clusters == cluster
        contrast = seen[inside].mean(0) - seen[~inside].mean(0)
        found.append(int(np.where(usable, contrast, -np.inf).argmax()))
    return merged(found, columns)


def merged(labels: Sequence[int], columns: np.ndarray, alike: float = ALIKE) -> list[int]:
    """Labels without those whose column correlates above `alike` with an earlier one's."""
    kept: list[int] = []
    for label in labels:
        column = np.repeat(columns[:, [label]], len(kept), 1)
        others = correlation(column, columns[:, kept])
        if not (others > alike).any():
            kept.append(label)
    return kept


def cover_labels(a: np.ndarray, columns: np.ndarray, rule: CoverRule | None = None) -> list[int]:
    """Labels each of which fires the unit without the others, by forward choice with exchange.

    From each of the best single labels the label that raises the correlation of the list most is
    added, as long as the rule allows it; after each addition a label is exchanged for another
    candidate where that helps. Of these lists the one with the largest correlation less `gain` for
    each label counts.

    Args:
        a: float [n], the unit's values.
        columns: float [n, T], candidates.
        rule: when a label is added.

    Returns:
        Columns, in the order of their own correlation; empty where no candidate is readable.

    """
    rule = rule or CoverRule()
    search = _Search(np.asarray(a, np.float64), columns, rule)
    lists = [search.grown([int(first)]) for first in search.best()]
    if not lists:
        return []
    chosen = max(lists, key=lambda labels: search.value(labels) - rule.gain * len(labels))
    own = search.own[chosen]
    return [chosen[place] for place in np.argsort(-own, kind="stable")]


class _Search:
    """Lists of labels of one unit.

    Attributes:
        a: float64 [n].
        seen: float64 [n, T], 0 where a candidate is not read.
        usable: bool [T].
        own: float64 [T], correlation of each candidate alone.

    """

    def __init__(self, a: np.ndarray, columns: np.ndarray, rule: CoverRule) -> None:
        self.a, self.rule, self.usable = a, rule, readable(columns)
        self.seen = np.where(self.usable, np.asarray(columns, np.float64), 0.0)
        self._a = (a - a.mean()) / max(float(np.linalg.norm(a - a.mean())), 1e-300)
        self.own = np.where(self.usable, self._correlations(self.seen), -np.inf)
        centered = self.seen - self.seen.mean(0)
        length = np.linalg.norm(centered, axis=0)
        centered = centered / np.where(length > 0, length, 1)
        self._like = centered.T @ centered > rule.alike
        cases = containment(self.seen) >= rule.within
        self._like |= cases | cases.T
        np.fill_diagonal(self._like, val=True)
        self._chance = (2 * np.log(max(int(self.usable.sum()), 1)) + 4) / len(a)

    def best(self) -> np.ndarray:
        """Candidates with the largest correlations, above chance: int64 [at most STARTS]."""
        ordered = np.argsort(-self.own, kind="stable")[:STARTS]
        own = self.own[ordered]
        return ordered[(own > 0) & (own**2 >= self._chance)]

    def grown(self, chosen: list[int]) -> list[int]:
        """The list after all additions and exchanges, without labels that it does not need."""
        while len(chosen) < self.rule.most:
            able = self._free(chosen) & self._alone(chosen)
            values = np.where(able, self._with(chosen), -np.inf)
            label = int(values.argmax())
            if not self._gains(self.value(chosen), float(values[label])):
                break
            chosen = self._exchanged([*chosen, label])
        return self._necessary(chosen)

    def value(self, labels: Sequence[int]) -> float:
        """Correlation of a list."""
        return float(self._correlations(union(self.seen[:, list(labels)])[:, None])[0])

    def _gains(self, before: float, after: float) -> bool:
        """Whether a correlation rises by the rule's gain, and by more than chance would have it.

        The best of T columns of noise adds about 2 log T / n to a squared correlation.
        """
        squares = after**2 - max(before, 0.0) ** 2
        return after >= before + self.rule.gain and squares >= self._chance

    def _correlations(self, columns: np.ndarray) -> np.ndarray:
        centered = columns - columns.mean(0)
        length = np.linalg.norm(centered, axis=0)
        return np.asarray(self._a @ centered / np.where(length > 0, length, np.inf))

    def _with(self, chosen: Sequence[int]) -> np.ndarray:
        """Correlation of the list with each further candidate: float64 [T]."""
        absent = 1 - union(self.seen[:, list(chosen)])
        return self._correlations(1 - absent[:, None] * (1 - self.seen))

    def _free(self, chosen: Sequence[int]) -> np.ndarray:
        """Candidates that are unlike all of the list: bool [T]."""
        return np.asarray(self.usable & ~self._like[:, list(chosen)].any(1))

    def _alone(self, others: Sequence[int]) -> np.ndarray:
        """Whether the unit fires where each candidate is seen and none of `others`: bool [T]."""
        there = union(self.seen[:, list(others)])
        alone = self.seen * (1 - there)[:, None]
        nothing = (1 - self.seen) * (1 - there)[:, None]
        weight, rest = alone.sum(0), nothing.sum(0)
        base = self.a @ nothing / np.where(rest > 0, rest, np.inf)
        top = float(there @ self.a / there.sum()) if there.sum() else 0.0
        mean = self.a @ alone / np.where(weight > 0, weight, np.inf)
        lift = (mean - base) / np.where(top > base, top - base, np.inf)
        return np.asarray((weight >= self.rule.fewest) & (rest > 0) & (lift >= self.rule.lift))

    def _exchanged(self, chosen: list[int]) -> list[int]:
        """The list after exchanging one label at a time, as long as it helps."""
        value = self.value(chosen)
        for _ in range(2 * len(chosen)):
            best, better = value + 1e-9, None
            for place in range(len(chosen)):
                rest = [one for i, one in enumerate(chosen) if i != place]
                values = np.where(self._free(rest), self._with(rest), -np.inf)
                label = int(values.argmax())
                if values[label] > best:
                    best, better = float(values[label]), [*rest[:place], label, *rest[place:]]
            if better is None:
                break
            chosen, value = better, best
        return chosen

    def _necessary(self, chosen: list[int]) -> list[int]:
        """Without labels that do not fire the unit alone, or that add too little."""
        while len(chosen) > 1:
            whole, losses = self.value(chosen), []
            for place, label in enumerate(chosen):
                rest = [one for i, one in enumerate(chosen) if i != place]
                alone = bool(self._alone(rest)[label])
                losses.append(whole - self.value(rest) - (0 if alone else 10))
            worst = int(np.argmin(losses))
            if losses[worst] >= self.rule.gain:
                break
            chosen = [one for i, one in enumerate(chosen) if i != worst]
        return chosen
