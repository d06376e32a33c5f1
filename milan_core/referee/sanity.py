"""The two sanity tests of NeuronEval, run on a user's own data (ICML 2025, section 4).

A good score falls when the right concept's labels are damaged. *Missing labels*: each label is kept
with probability one half. *Extra labels*: as many labels again are added at random. A metric passes
for a unit where the score falls by more than `FALL` of the metric's range over the units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.core.numbers import mean_or_nan
from milan_core.core.seeding import generator
from milan_core.referee.metrics import METRICS, Pair, Scorer

DRAWS = 20
FALL = -0.001
TRUSTED = 0.9  # share of units at which a headline metric passes both tests


@dataclass(frozen=True)
class Verdict:
    """Shares of units for which one metric passes the tests; NaN where it is undefined."""

    metric: str
    missing: float
    extra: float
    both: float
    units: int

    @property
    def trusted(self) -> bool:
        """Whether a headline metric may be read on this data."""
        return self.both >= TRUSTED


def damaged(c: np.ndarray, test: str, rng: np.random.Generator) -> np.ndarray:
    """The presence of a concept with labels missing, or with extra ones: float [n]."""
    if test == "missing":
        return c * rng.integers(0, 2, len(c))
    total = float(c.sum())
    rate = min(1.0, total / (len(c) - total)) if total < len(c) else 1.0
    return np.minimum(1.0, c + (rng.random(len(c)) < rate))


def sanity(
    pairs: Sequence[Pair],
    metrics: Sequence[str],
    seed: int,
    draws: int = DRAWS,
    scorers: Mapping[str, Scorer] = METRICS,
) -> list[Verdict]:
    """The verdict on every metric, over units with their best-known concepts.

    Means over `draws` damaged versions of each unit's concept; the range of a metric is over all
    values that it takes here. `scorers` are the metrics by name.
    """
    verdicts = []
    for name in metrics:
        scorer = scorers[name]
        before = np.array([scorer(pair) for pair in pairs])
        after = {test: _after(pairs, scorer, test, seed, draws) for test in ("missing", "extra")}
        every = np.concatenate([before, *after.values()])
        every = every[np.isfinite(every)]
        spread = float(np.ptp(every)) if len(every) else 0.0
        valid = np.isfinite(before) & np.isfinite(after["missing"]) & np.isfinite(after["extra"])
        passes = {
            test: (values - before)[valid] < FALL * spread
            if spread
            else np.zeros(valid.sum(), bool)
            for test, values in after.items()
        }
        both = passes["missing"] & passes["extra"]
        verdicts.append(
            Verdict(
                metric=name,
                missing=mean_or_nan(passes["missing"]),
                extra=mean_or_nan(passes["extra"]),
                both=mean_or_nan(both),
                units=int(valid.sum()),
            )
        )
    return verdicts


def _after(pairs: Sequence[Pair], scorer: Scorer, test: str, seed: int, draws: int) -> np.ndarray:
    """Mean score of each unit over damaged versions of its concept: float64 [units]."""
    values = np.full((len(pairs), draws), np.nan)
    for index, pair in enumerate(pairs):
        rng = generator(seed, "sanity", test, index)
        for draw in range(draws):
            values[index, draw] = scorer(pair.with_presence(damaged(pair.c, test, rng)))
    defined = np.isfinite(values)
    totals = np.where(defined, values, 0.0).sum(1)
    return np.where(defined.any(1), totals / np.maximum(defined.sum(1), 1), np.nan)
