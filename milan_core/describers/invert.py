"""INVERT: the formula of concepts whose presence a unit's activation ranks best.

Each image has the concepts that are in it and the largest activation of the unit. The AUC of a
formula is the chance that an image where it holds has a higher activation than one where it does
not (ties count half); the formula with the highest AUC is the label, found by beam search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from milan_core.describers.activations import NetworkUnits
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Description, Resources
from milan_core.describers.evidence import LayerEvidence
from milan_core.describers.labels import LabelDescriber, labeled
from milan_core.describers.options import InvertOptions
from milan_core.describers.wording import compexp_text, formula_label
from milan_core.ops.formulas import AND, AND_NOT, OR
from milan_core.ops.reference.formulas import Parts, canonical

HIGHEST_SHARE = 0.5  # of images in which a formula holds: else its negation is the finer statement
JOINS = (OR, AND, AND_NOT)


class Invert(LabelDescriber):
    """The formula with the highest AUC of the unit's largest activation in each image."""

    Options: ClassVar[type[DescriberOptions]] = InvertOptions

    def __init__(self, options: InvertOptions) -> None:
        self._options = options

    @classmethod
    def load(cls, options: InvertOptions, resources: Resources) -> Invert:
        """The describer; it reads no file."""
        return cls(options)

    def label_layer(self, evidence: LayerEvidence, units: NetworkUnits) -> list[Description]:
        """The labels of the units of one layer."""
        names = units.concept_masks.names
        labels = []
        for best in auc_labels(evidence.maxima, units.concept_masks.presence(), self._options):
            joins = [join for join, _ in best.parts]
            label = formula_label(joins, [names[c] for _, c in best.parts])
            text, passes = compexp_text(label), bool(best.parts)
            labels.append(labeled(text, label, "formula", best.auc, passes=passes, p=best.p))
        return labels


@dataclass(frozen=True)
class AucLabel:
    """The formula of one unit; no parts for a unit without one that is better than chance."""

    parts: Parts
    auc: float
    p: float
    """One-sided Mann-Whitney p of this formula (normal approximation with ties); the search over
    formulas is not corrected for."""


@dataclass(frozen=True)
class _Candidate:
    auc: float
    parts: Parts
    holds: np.ndarray  # float64 [N], 0 or 1
    rank_sum: float
    count: float


def auc_labels(
    activations: np.ndarray, presence: np.ndarray, options: InvertOptions
) -> list[AucLabel]:
    """The best formula of every unit.

    Args:
        activations: float [U, N], of each unit on each image.
        presence: bool [N, C], whether each concept is in each image.
        options: beam, length of formulas, least share of images in which a formula must hold.

    """
    there = presence.astype(np.float64)
    ranks = np.stack([twice_ranks(row) for row in activations])
    # Twice the ranks are integers, and their sums are below 2**53: float64 products are exact.
    sums = ranks @ there
    return [
        _Search(ranks[u], sums[u], there, options.min_share).best(options.beam, options.length)
        for u in range(len(ranks))
    ]


def twice_ranks(values: np.ndarray) -> np.ndarray:
    """Twice the average rank (from 1) of each value, as float64: whole numbers."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (2 * last - counts + 1)[inverse].astype(np.float64)


def auc_of(rank_sum: np.ndarray, count: np.ndarray, total: int) -> np.ndarray:
    """AUC from sums of twice the ranks over `count` of `total` images; NaN for none or all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (rank_sum - count * (count + 1)) / (2 * count * (total - count))


class _Search:
    """The beam search of one unit."""

    def __init__(
        self, ranks: np.ndarray, sums: np.ndarray, there: np.ndarray, min_share: float
    ) -> None:
        self.ranks, self.sums, self.there = ranks, sums, there
        self.counts = there.sum(0)
        self.least = max(min_share * len(ranks), 1)

    def best(self, beam: int, length: int) -> AucLabel:
        """The formula with the highest AUC."""
        aucs = self.values(self.sums, self.counts)
        candidates = [
            _Candidate(
                float(aucs[c]), ((OR, int(c)),), self.there[:, c], self.sums[c], self.counts[c]
            )
            for c in np.argsort(-aucs, kind="stable")[:beam]
            if aucs[c] >= 0
        ]
        for size in range(1, length):
            if longest := [entry for entry in candidates if len(entry.parts) == size]:
                candidates = self.extended(candidates, longest, beam)
        if not candidates or candidates[0].auc <= 0.5:
            return AucLabel((), 0.5, 1.0)
        top = candidates[0]
        return AucLabel(top.parts, top.auc, mann_whitney_p(top.auc, top.count, self.ranks))

    def values(self, rank_sum: np.ndarray, count: np.ndarray) -> np.ndarray:
        """AUC of formulas; -1 where one holds in too few or too many images."""
        good = (count >= self.least) & (count <= HIGHEST_SHARE * len(self.ranks))
        return np.where(good, auc_of(rank_sum, count, len(self.ranks)), -1.0)

    def extended(
        self, candidates: list[_Candidate], longest: list[_Candidate], beam: int
    ) -> list[_Candidate]:
        """The best of `candidates` and of every formula of `longest` joined with every concept."""
        holds = np.stack([entry.holds for entry in longest])  # [B, N]
        both_sum, both_count = (holds * self.ranks) @ self.there, holds @ self.there  # [B, C]
        old_sum = np.array([entry.rank_sum for entry in longest])[:, None]
        old_count = np.array([entry.count for entry in longest])[:, None]
        # In the order of JOINS, [B, 3, C].
        sums = np.stack([old_sum + self.sums - both_sum, both_sum, old_sum - both_sum], axis=1)
        counts = np.stack(
            [old_count + self.counts - both_count, both_count, old_count - both_count], axis=1
        )
        auc = self.values(sums, counts)
        auc[counts == old_count[:, None]] = -1.0  # holds in the same images: says nothing new
        every = np.concatenate([[entry.auc for entry in candidates], auc.reshape(-1)])
        kept: list[_Candidate] = []
        seen: set[object] = set()
        for place in np.argsort(-every, kind="stable"):  # equally good: the shorter, then earlier
            if len(kept) == beam or every[place] < 0:
                break
            candidate = (
                candidates[place]
                if place < len(candidates)
                else self._joined(longest, int(place) - len(candidates), (auc, sums, counts))
            )
            concepts = [which for _, which in candidate.parts]
            key = canonical(candidate.parts)
            if key not in seen and len(set(concepts)) == len(concepts):
                seen.add(key)
                kept.append(candidate)
        return kept

    def _joined(
        self,
        longest: list[_Candidate],
        place: int,
        tables: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> _Candidate:
        """The candidate at a flat place of the tables [B, 3, C] of AUC, rank sum and count."""
        row, join, which = (int(i) for i in np.unravel_index(place, tables[0].shape))
        parent, concept = longest[row], self.there[:, which]
        if JOINS[join] == OR:
            holds = np.maximum(parent.holds, concept)
        else:
            holds = parent.holds * (concept if JOINS[join] == AND else 1 - concept)
        auc, rank_sum, count = (float(table[row, join, which]) for table in tables)
        return _Candidate(auc, (*parent.parts, (JOINS[join], which)), holds, rank_sum, count)


def mann_whitney_p(auc: float, count: float, twice: np.ndarray) -> float:
    """One-sided p of an AUC: normal approximation with tie and continuity correction.

    `count` images hold the formula, `twice` are twice the ranks of all images.
    """
    total = len(twice)
    pairs = count * (total - count)
    _, ties = np.unique(twice, return_counts=True)
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1))
    deviation = math.sqrt(pairs / 12 * (total + 1 - tied))
    if deviation == 0:
        return 1.0
    z = (auc * pairs - pairs / 2 - 0.5) / deviation
    return 0.5 * math.erfc(z / math.sqrt(2))
