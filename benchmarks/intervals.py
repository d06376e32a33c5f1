"""Simulates data whose truth is known, and counts how often intervals and tests are right.

    python -m benchmarks.intervals            # 2,000 data sets a row
    python -m benchmarks.intervals --quick    # 200

Units of a concept rise and fall together, concepts have very unequal numbers of units, a seed of
training moves all of them, and networks differ among each other. Every row is one interval or test
of the product under one truth: an effect that was planted, or none. Coverage of an interval should
be 93 to 97 %, the level of a test at most 5 %.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from milan_core.experiments.analyze.curves import compare, compare_matched, outlier_p
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.proportions import (
    difference_interval,
    exact_interval,
    mean_interval,
    mean_test,
)
from milan_core.scoring.verdicts import holm

TURNS, QUICK = 2000, 200
RESAMPLES = 1000
COVERAGE, LEVEL = (0.93, 0.97), 0.05
Draw = np.random.Generator


@dataclass(frozen=True)
class Case:
    """One row: its kind (`interval`, `wide` for an interval that may cover more, `level`, `power`).

    `turn` gets a source of random numbers and the number of the turn, and says whether the interval
    covers the truth, or the test finds a difference.
    """

    name: str
    kind: str
    turn: Callable[[Draw, int], bool]

    def rate(self, turns: int, seed: int = 0) -> float:
        """Share of turns, each with data of its own."""
        source = np.random.default_rng([seed, *self.name.encode()])
        return sum(self.turn(source, turn) for turn in range(turns)) / turns

    def holds(self, rate: float, turns: int) -> bool:
        """Whether the rate is within its bounds, less two standard errors of the simulation."""
        slack = 2 * (0.05 * 0.95 / turns) ** 0.5
        if self.kind == "power":
            return rate >= 0.5
        if self.kind == "level":
            return rate <= LEVEL + slack
        low, high = COVERAGE[0] - slack, COVERAGE[1] + slack
        return low <= rate <= (1.0 if self.kind == "wide" else high)


@dataclass(frozen=True)
class Units:
    """Units of unequal concepts whose descriptions are right with a chance of the concept's own."""

    clusters: int
    rate: float = 0.7
    spread: float = 0.25  # deviation of the chance over concepts
    seeds: int = 1
    of_seed: float = 0.0  # deviation over training seeds

    def draw(self, source: Draw, effect: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right answers of two captioners, float64 [seeds, units] each, and concepts int [units].

        The second is right `effect` more often on average; concepts differ in that as well. The
        chances are Beta distributed, so that their mean is known: `rate`, and `rate + effect`.
        """
        sizes = source.geometric(1 / 7, self.clusters)
        of_unit = np.repeat(np.arange(self.clusters), sizes)
        sides = []
        for mean in (self.rate, self.rate + effect):
            strength = mean * (1 - mean) / self.spread**2 - 1
            chance = source.beta(mean * strength, (1 - mean) * strength, self.clusters)[of_unit]
            shift = source.normal(0, self.of_seed, (self.seeds, 1))
            right = source.random((self.seeds, len(of_unit))) < chance
            sides.append(right.astype(float) + shift)
        return sides[0], sides[1], of_unit


def _accuracy(units: Units) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        right, _, clusters = units.draw(source)
        low, high = Bootstrap(number, RESAMPLES).interval(right[0], clusters=clusters)
        return bool(low <= units.rate <= high)

    return turn


def _paired(units: Units, effect: float) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        ours, theirs, clusters = units.draw(source, effect)
        _, low, high = Bootstrap(number, RESAMPLES).paired(theirs[0], ours[0], clusters=clusters)
        return bool(low <= effect <= high)

    return turn


def _crossed(units: Units, effect: float) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        ours, theirs, clusters = units.draw(source, effect)
        _, low, high = Bootstrap(number, RESAMPLES).crossed(theirs, ours, clusters=clusters)
        return bool(low <= effect <= high)

    return turn


def _crossed_p(units: Units, effect: float) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        ours, theirs, clusters = units.draw(source, effect)
        p = Bootstrap(number, RESAMPLES).crossed_p(theirs, ours, clusters=clusters)
        return bool(p < LEVEL)

    return turn


def _flips(units: Units, effect: float) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        ours, theirs, clusters = units.draw(source, effect)
        p = Bootstrap(number, RESAMPLES).p_value(theirs[0], ours[0], clusters=clusters)
        return bool(p < LEVEL)

    return turn


def _family(units: Units, rows: int, effect: float = 0.0) -> Callable[[Draw, int], bool]:
    """Whether Holm finds any difference in rows that have one captioner in common."""

    def turn(source: Draw, number: int) -> bool:
        ours, _, clusters = units.draw(source)
        sizes = np.bincount(clusters)
        p_values = []
        for row in range(rows):
            strength = units.rate * (1 - units.rate) / units.spread**2 - 1
            chance = source.beta(units.rate * strength, (1 - units.rate) * strength, len(sizes))[
                clusters
            ]
            theirs = (source.random(len(clusters)) < chance).astype(float)
            bootstrap = Bootstrap(number, RESAMPLES)
            p_values.append(bootstrap.p_value(theirs, ours[0], row, clusters=clusters))
        return bool(min(holm(p_values)) < LEVEL)

    return turn


def _networks(count: int, effect: float, test: bool) -> Callable[[Draw, int], bool]:
    """Student's interval and test over pairs of networks, whose counts of units differ."""

    def turn(source: Draw, number: int) -> bool:
        first = source.poisson(np.maximum(0, source.normal(15 + effect, 5, count)))
        second = source.poisson(np.maximum(0, source.normal(15, 5, count)))
        values = (first - second).astype(float).tolist()
        if test:
            return mean_test(values) < LEVEL
        _, low, high = mean_interval(values)
        return bool(low <= effect <= high)

    return turn


def _draws(draws: int) -> Callable[[Draw, int], bool]:
    """Editing: test images, and draws of random units that differ in what they cost."""

    def turn(source: Draw, number: int) -> bool:
        rates = source.normal(0.5, 0.05, (draws, 1))
        right = (source.random((draws, 500)) < rates).astype(float)
        _, low, high = Bootstrap(number, RESAMPLES).crossed(right, None)
        return bool(low <= 0.5 <= high)

    return turn


def _counts(share: float, of: int) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        low, high = exact_interval(int(source.binomial(of, share)), of)
        return bool(low <= share <= high)

    return turn


def _two_counts(first: float, second: float, of: int) -> Callable[[Draw, int], bool]:
    def turn(source: Draw, number: int) -> bool:
        counts = [(int(source.binomial(of, share)), of) for share in (first, second)]
        _, low, high = difference_interval(*counts)
        return bool(low <= first - second <= high)

    return turn


def _areas(effect: float, what: str) -> Callable[[Draw, int], bool]:
    """Analysis: areas of 10 orders of a criterion against 20 random or matched ones."""

    def turn(source: Draw, number: int) -> bool:
        random = source.normal(0.5, 0.05, 20)
        if what == "outlier":
            return bool(outlier_p(float(source.normal(0.5 + effect, 0.05)), random) < LEVEL)
        ours = source.normal(0.5 + effect, 0.03, 10)
        if what == "matched":  # a matched order moves with the order that it follows
            random = np.tile(ours - effect, 2) + source.normal(0, 0.05, 20)
        found = (compare_matched if what == "matched" else compare)(ours, random)
        return bool(found.low <= effect <= found.high)

    return turn


def cases() -> Iterator[Case]:
    """All rows."""
    for clusters in (18, 30, 47):
        units = Units(clusters)
        yield Case(f"accuracy, {clusters} concepts", "interval", _accuracy(units))
        yield Case(f"difference, {clusters} concepts, none", "interval", _paired(units, 0.0))
        yield Case(f"difference, {clusters} concepts, .15", "interval", _paired(units, 0.15))
        yield Case(f"sign flips, {clusters} concepts, none", "level", _flips(units, 0.0))
    yield Case("sign flips, 47 concepts, .2 planted", "power", _flips(Units(47), 0.2))
    yield Case("Holm over 12 rows, 30 concepts, none", "level", _family(Units(30), 12))
    for seeds in (3, 5):
        for of_seed in (0.02, 0.1):
            units = Units(30, seeds=seeds, of_seed=of_seed)
            name = f"difference over {seeds} seeds (deviation {of_seed}), 30 concepts"
            yield Case(f"{name}, none", "interval", _crossed(units, 0.0))
            yield Case(f"{name}, .15", "interval", _crossed(units, 0.15))
            yield Case(
                f"test of {seeds} seeds (deviation {of_seed}), none",
                "level",
                _crossed_p(units, 0.0),
            )
    yield Case("test of 5 seeds, .2 planted", "power", _crossed_p(Units(47, seeds=5), 0.2))
    for count in (3, 5):
        yield Case(f"mean of {count} networks, 10 planted", "interval", _networks(count, 10, False))
        yield Case(f"Student's test, {count} networks, none", "level", _networks(count, 0, True))
    for draws in (5, 20):
        yield Case(f"images and {draws} draws of units", "interval", _draws(draws))
    for share in (0.02, 0.1):
        yield Case(f"exact interval, {share:.0%} of 224", "wide", _counts(share, 224))
    yield Case("Newcombe, 5 % and 1 % of 224", "interval", _two_counts(0.05, 0.01, 224))
    yield Case("Newcombe, 2 % and none of 224", "wide", _two_counts(0.02, 0.0, 224))
    for effect in (0.0, 0.1):
        yield Case(f"areas, Welch, {effect:g}", "interval", _areas(effect, "random"))
        yield Case(f"areas, paired by order, {effect:g}", "interval", _areas(effect, "matched"))
    yield Case("area as one more random order, none", "level", _areas(0.0, "outlier"))
    yield Case("area as one more random order, .2 planted", "power", _areas(0.2, "outlier"))


def main() -> None:
    """Print the table; exit code 1 where a row does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} data sets a row")
    turns = QUICK if parser.parse_args().quick else TURNS
    print(f"| simulated | what | share of {turns} | holds |\n|---|---|---|---|")
    failed = 0
    names = {"interval": "covers", "wide": "covers at least", "level": "false", "power": "found"}
    for case in cases():
        rate = case.rate(turns)
        holds = case.holds(rate, turns)
        failed += not holds
        mark = "yes" if holds else "**no**"
        print(f"| {case.name} | {names[case.kind]} | {rate:.1%} | {mark} |", flush=True)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
