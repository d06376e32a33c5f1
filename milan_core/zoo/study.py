"""Which score agrees best with exact truth? Scores of graded descriptions of the zoo's units.

For every unit, descriptions from right to wrong (`candidates`) are scored on drawn scenes, by the
oracle and by a judge that errs, and compared with their exact agreement with the unit
(`agreement`), which is counted over a large population of other scenes. Everything is repeated
over seeds that draw other scenes, other unrelated texts and other errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau
from scipy.stats import t as student

from milan_core.core.seeding import generator
from milan_core.referee.detection import discrimination, nearest_units, sheets, sheets_apart
from milan_core.referee.judges.zoo import ZooOracle
from milan_core.referee.metrics import Pair, firing
from milan_core.referee.resampling import Interval
from milan_core.referee.sanity import Verdict, sanity
from milan_core.world.zoo.facts import ATTRIBUTES, Facts, draw_facts, twin
from milan_core.zoo.agreement import AGREEMENTS, presence
from milan_core.zoo.candidates import SAME, Candidate, candidates, scored_units
from milan_core.zoo.scores import DISCRIMINATION, NAMES, SCORERS, TWINS, twin_correlation
from milan_core.zoo.units import PlantedUnit

JUDGES = ("oracle", "noisy")
OTHER_ROLES = ("part", "attribute", "negation", "unrelated", "constant")


@dataclass(frozen=True)
class StudyOptions:
    """The numbers of scenes and draws."""

    seeds: int = 5
    images: int = 1000  # scored scenes of a seed
    pairs: int = 400  # pairs of scenes that differ in one attribute
    population: int = 10_000  # scenes over which the truth is counted
    alpha: float = 0.02  # share of images on which a unit fires, of thresholded scores
    error: float = 0.1  # share of images on which the noisy judge is wrong
    draws: int = 20  # damaged versions of a concept in a sanity test


@dataclass(frozen=True)
class Scores:
    """Scores of all candidates of all units on the scenes of one seed, by one judge.

    Attributes:
        unit: int64 [c], number of the unit of each candidate.
        candidates: c of them.
        truth: float64 [c] by definition of agreement.
        values: float64 [c] by score; NaN where it is undefined.

    """

    unit: np.ndarray
    candidates: list[Candidate]
    truth: dict[str, np.ndarray]
    values: dict[str, np.ndarray]

    @property
    def same(self) -> np.ndarray:
        """Texts that say what the truth says, in whatever role: bool [c]."""
        return self.truth["kappa"] > SAME

    def of(self, *roles: str) -> np.ndarray:
        """Candidates of some roles: bool [c]."""
        return np.array([one.role in roles for one in self.candidates])


class SeedScenes:
    """Scenes of one seed with the oracle's columns."""

    def __init__(self, seed: int, options: StudyOptions) -> None:
        scenes = draw_facts(options.images, 1000 + seed)
        before = draw_facts(options.pairs, 2000 + seed)
        after = [twin(one, ATTRIBUTES[i % len(ATTRIBUTES)]) for i, one in enumerate(before)]
        self.images, self.pairs = options.images, options.pairs
        every = [*scenes, *before, *after]
        self.facts, self._oracle = Facts(every), ZooOracle(every)
        self._seed, self._error = seed, options.error

    def presence(self, text: str, judge: str) -> np.ndarray:
        """Presence of a text in all scenes, then first and second scenes of pairs: float64."""
        c = self._oracle.presence([text])[:, 0].astype(np.float64)
        if judge == "oracle":
            return c
        rng = generator(self._seed, "zoo judge", text)
        c = np.where(rng.random(len(c)) < self._error, 1 - c, c)
        return np.asarray(np.clip(0.1 + 0.8 * c + 0.1 * rng.standard_normal(len(c)), 0, 1))


def score_seed(seed: int, options: StudyOptions) -> tuple[dict[str, Scores], list[Verdict]]:
    """Scores by judge, and the verdicts of both sanity tests under the oracle."""
    units = scored_units()
    chosen = [candidates(unit, units, seed) for unit in units]
    population = draw_facts(options.population, 10_000 + seed)
    truth = _agreements(units, chosen, population)
    test = SeedScenes(seed, options)
    a = np.stack([unit.expression.value(test.facts)[: test.images] for unit in units])
    tops, near = sheets(a), nearest_units(a)
    owner = np.array([i for i, own in enumerate(chosen) for _ in own])
    every = [one for own in chosen for one in own]
    scores, right = {}, []
    for judge in JUDGES:
        values = {name: np.full(len(every), np.nan) for name in NAMES}
        for place, (unit, one) in enumerate(zip(owner.tolist(), every, strict=True)):
            pair = Pair(a[unit], a[unit], firing(a[unit], options.alpha))
            c = test.presence(one.text, judge)
            now = pair.with_presence(c[: test.images])
            for name, scorer in SCORERS.items():
                values[name][place] = scorer(now)
            values[DISCRIMINATION][place] = discrimination(
                c[: test.images], *sheets_apart(tops[unit], tops[near[unit]])
            )
            values[TWINS][place] = _twins(units[unit], test, c)
            if judge == "oracle" and one.role == "truth":
                right.append(now)
        scores[judge] = Scores(owner, every, truth, values)
    verdicts = sanity(right, list(SCORERS), seed, options.draws, scorers=SCORERS)
    return scores, verdicts


def _twins(unit: PlantedUnit, test: SeedScenes, c: np.ndarray) -> float:
    a = unit.expression.value(test.facts)
    start, middle = test.images, test.images + test.pairs
    return twin_correlation(*(x[middle:] - x[start:middle] for x in (a, c)))


def _agreements(
    units: Sequence[PlantedUnit], chosen: Sequence[Sequence[Candidate]], scenes: Sequence[object]
) -> dict[str, np.ndarray]:
    facts, oracle = Facts(scenes), ZooOracle(scenes)  # type: ignore[arg-type]
    found: dict[str, list[float]] = {name: [] for name in AGREEMENTS}
    for unit, own in zip(units, chosen, strict=True):
        a = presence(unit.expression, facts)
        for c in oracle.presence([one.text for one in own]).T.astype(np.float64):
            for name, agreement in AGREEMENTS.items():
                found[name].append(agreement(a, c))
    return {name: np.array(values) for name, values in found.items()}


@dataclass(frozen=True)
class Figures:
    """The result of one score on one seed under one judge.

    Shares are of units; places run from unrelated texts (0) to the truth (1).
    """

    best: float  # yes-no units whose truth no other text beats
    best_graded: float  # the same of counts, sizes and signed units
    alone: float  # units whose truth beats every other text
    between: float  # units with truth > every part of it > mean of unrelated texts
    part: float  # place of parts of the truth
    attribute: float  # place of texts with one wrong attribute
    constant: float  # place of the constant
    undefined: float  # share of texts without a score
    tau: dict[str, float]  # Kendall's tau with exact agreement within units, by definition
    pooled: float  # Kendall's tau with kappa over all texts of all units


def figures(scores: Scores, name: str) -> Figures:
    """The ranking of the texts by one score; paraphrases of the truth are left out."""
    values, units = np.round(scores.values[name], 9), range(scores.unit.max() + 1)
    graded = {i for i, unit in enumerate(scored_units()) if unit.kind in ("graded", "signed")}
    truth, unrelated = scores.of("truth"), scores.of("unrelated")
    other, parts = scores.of(*OTHER_ROLES) & ~scores.same, scores.of("part") & ~scores.same
    best, alone, between = [], [], []
    for unit in units:
        own = scores.unit == unit
        right = values[own & truth][0]
        best.append(bool((right >= _low(values[own & other])).all()))
        alone.append(bool((right > _low(values[own & other])).all()))
        half, far = _low(values[own & parts]), _mean(values[own & unrelated])
        between.append(bool((right > half).all() and (half > far).all()))
    ends = _mean(values[unrelated]), _mean(values[truth])
    exact = scores.truth["kappa"]
    defined = ~scores.of("paraphrase") & np.isfinite(values) & np.isfinite(exact)
    return Figures(
        best=float(np.mean([best[i] for i in units if i not in graded])),
        best_graded=float(np.mean([best[i] for i in units if i in graded])),
        alone=float(np.mean(alone)),
        between=float(np.mean(between)),
        part=_place(values[parts], *ends),
        attribute=_place(values[scores.of("attribute") & ~scores.same], *ends),
        constant=_place(values[scores.of("constant")], *ends),
        undefined=float(np.isnan(values).mean()),
        tau={name: _within(scores, values, exact) for name, exact in scores.truth.items()},
        pooled=_pooled(values[defined], exact[defined]),
    )


def _pooled(values: np.ndarray, exact: np.ndarray) -> float:
    """Kendall's tau-b over all texts; NaN for fewer than two."""
    if len(values) < 2:
        return float("nan")
    return float(kendalltau(values, np.round(exact, 9)).statistic)


def _within(scores: Scores, values: np.ndarray, exact: np.ndarray) -> float:
    """Mean over units of Kendall's tau-b between a score and exact agreement."""
    defined = ~scores.of("paraphrase") & np.isfinite(values) & np.isfinite(exact)
    taus = []
    for unit in range(scores.unit.max() + 1):
        own = defined & (scores.unit == unit)
        if own.sum() < 2:
            continue
        tau = kendalltau(values[own], np.round(exact[own], 9)).statistic
        taus.append(0.0 if np.isnan(tau) else float(tau))
    return float(np.mean(taus)) if taus else float("nan")


def _low(values: np.ndarray) -> np.ndarray:
    """Undefined scores as the lowest."""
    return np.where(np.isnan(values), -np.inf, values)


def _place(values: np.ndarray, low: float, high: float) -> float:
    return (_mean(values) - low) / (high - low) if high != low else float("nan")


def _mean(values: np.ndarray) -> float:
    """Mean of what is defined; NaN where nothing is."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def over_seeds(values: Sequence[float]) -> Interval:
    """Mean over seeds with its 95 % t interval."""
    found = np.asarray(values, np.float64)
    mean, n = float(found.mean()), len(found)
    if n < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = float(student.ppf(0.975, n - 1) * found.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half)
