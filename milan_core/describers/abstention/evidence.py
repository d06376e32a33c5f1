"""Evidence for and against a unit's description: the features of a confidence.

From the ranking of a unit's candidates (`describers.ranking`), made on the images that chose:

    margin       score of the description above the best candidate of another concept
    stability    share of bootstraps of these images that choose its concept
    consensus    share of the captioner's probability, over the candidates, on its concept
    logp         log p(d|E)
    logp_lm      log p(d)
    agreement    share of other readings of the candidates that choose its concept (`READINGS`)

From images that did not choose (`held_out`), with v the judged presence of the description:

    correlation  corr(a, v)
    strong       corr(max(z(a), 0)^2, v): what the strongest images follow
    null         log p of the null test on `strong`
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.describers.abstention.concepts import same_concept
from milan_core.describers.abstention.null import (
    RATE,
    correlations,
    distinct_texts,
    excess,
    other_texts,
    p_values,
    passes,
)
from milan_core.describers.abstention.stability import covering
from milan_core.describers.ranking import Ranked

CHOSEN = ("margin", "stability", "consensus", "logp", "logp_lm", "agreement")
HELD_OUT = ("correlation", "strong", "null")
FEATURES = (*HELD_OUT, *CHOSEN)
READINGS: tuple[Callable[[Ranked], float], ...] = (
    lambda one: one.logp,
    lambda one: one.logp - 0.2 * one.logp_lm,  # MILAN as published
    lambda one: one.logp - 0.6 * one.logp_lm,  # MILAN, tuned
    lambda one: one.fit,
    lambda one: one.range,
)
"""Other ways to choose among the candidates of a unit."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test each unit's description on images that did not choose it.

    Attributes:
        correlation, strong: float64 [units]; NaN for a unit without a text.
        p: float64 [units], of the null test on `strong`; 1 for a unit without a text.

    """

    correlation: np.ndarray
    strong: np.ndarray
    p: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """Float64 [units, HELD_OUT]."""
        null = np.log(np.where(np.isnan(self.strong), math.nan, self.p))
        return np.column_stack([self.correlation, self.strong, null])


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence of the units of one network.

    Attributes:
        keys: (layer, unit).
        texts: the descriptions.
        features: float64 [units, FEATURES]; NaN where there is none.
        p: float64 [units], of the null test.
        passed: bool [units], whether the unit passes it within its layer.
        likely: texts that bootstraps choose, the most frequent first.

    """

    keys: list[UnitKey]
    texts: list[str]
    features: np.ndarray
    p: np.ndarray
    passed: np.ndarray
    likely: list[tuple[str, ...]]

    def judged_by(self, apart: HeldOut) -> Evidence:
        """The same units on other held-out images."""
        features = np.column_stack([apart.features, self.features[:, len(HELD_OUT) :]])
        return replace(self, features=features, p=apart.p, passed=passes(apart.p, self.keys))


def held_out(
    keys: Sequence[UnitKey],
    texts: Sequence[str],
    activations: np.ndarray,
    presence: Mapping[str, np.ndarray],
    seed: int = 0,
) -> HeldOut:
    """Statistics of each unit's text on images that did not choose it.

    Args:
        keys: (layer, unit) of U units.
        texts: their descriptions; empty: none.
        activations: float [n, U].
        presence: float [n] by distinct text; NaN throughout for a text that is not read.
        seed: of the texts that a unit's own is compared with.

    """
    readable = {text for text, column in presence.items() if not np.isnan(column).any()}
    known = [text if text in readable else "" for text in texts]
    read = distinct_texts(known)
    place = {text: number for number, text in enumerate(read)}
    column = np.array([place.get(text, -1) for text in known], np.int64)
    if not read:
        nothing = np.full(len(keys), math.nan)
        return HeldOut(nothing, nothing.copy(), np.ones(len(keys)))
    judged = np.stack([presence[text] for text in read], 1)
    plain, strong = correlations(activations, judged), correlations(excess(activations), judged)
    units = np.arange(len(keys))
    p = p_values(strong, column, other_texts(keys, known, seed))
    flat = np.ptp(activations, 0) <= 1e-12 if len(activations) else np.ones(len(keys), bool)
    absent = (column < 0) | flat
    return HeldOut(
        np.where(absent, math.nan, plain[units, column]),
        np.where(absent, math.nan, strong[units, column]),
        np.where(absent, 1.0, p),
    )


def gather_evidence(
    ranking: Mapping[UnitKey, Sequence[Ranked]], apart: HeldOut, rate: float = RATE
) -> Evidence:
    """The evidence of all ranked units; `apart` is in their order."""
    keys = list(ranking)
    chosen = np.array([_chosen(ranking[key]) for key in keys], np.float64)
    features = np.column_stack([apart.features, chosen.reshape(len(keys), len(CHOSEN))])
    return Evidence(
        keys,
        [ranking[key][0].text for key in keys],
        features,
        apart.p,
        passes(apart.p, keys, rate),
        [likely_texts(ranking[key]) for key in keys],
    )


def _chosen(candidates: Sequence[Ranked]) -> list[float]:
    """The features `CHOSEN` of one unit."""
    first = candidates[0]
    alike = [same_concept(one.text, first.text) or one.text == first.text for one in candidates]
    others = [one.score for one, same in zip(candidates, alike, strict=True) if not same]
    margin = first.score - max(others) if others else math.nan
    return [
        margin,
        _share([one.wins for one in candidates], alike),
        consensus([one.logp for one in candidates], alike),
        first.logp,
        first.logp_lm,
        _agreement(candidates, alike),
    ]


def _share(weights: Sequence[float], alike: Sequence[bool]) -> float:
    there = [weight for weight in weights if not math.isnan(weight)]
    total = math.fsum(there)
    if not total:
        return math.nan
    mine = [w for w, same in zip(weights, alike, strict=True) if same and not math.isnan(w)]
    return math.fsum(mine) / total


def consensus(logp: Sequence[float], alike: Sequence[bool]) -> float:
    """Share of exp(logp) on the candidates that are alike; NaN where none has log p."""
    there = [value for value in logp if not math.isnan(value)]
    if not there:
        return math.nan
    return _share([math.exp(value - max(there)) for value in logp], alike)


def _agreement(candidates: Sequence[Ranked], alike: Sequence[bool]) -> float:
    votes = []
    for reading in READINGS:
        values = np.array([reading(one) for one in candidates], np.float64)
        if not np.isnan(values).all():
            votes.append(alike[int(np.nanargmax(values))])
    return sum(votes) / len(votes) if votes else math.nan


def likely_texts(candidates: Sequence[Ranked]) -> tuple[str, ...]:
    """The texts that 90 % of the bootstraps choose; the description alone without bootstraps."""
    wins = [0.0 if math.isnan(one.wins) else one.wins for one in candidates]
    return tuple(candidates[place].text for place in covering(wins)) or (candidates[0].text,)
