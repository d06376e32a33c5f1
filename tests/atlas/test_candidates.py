"""The best text at every lambda."""

from __future__ import annotations

import math

import numpy as np
import pytest

from milan_core.atlas.candidates import Candidate, envelope


@pytest.mark.parametrize("seed", range(40))
def test_the_envelope_is_best_at_every_lambda(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    logp, prior = -rng.uniform(0, 30, count), -rng.uniform(0, 60, count)
    if seed % 4 == 0:  # equal numbers
        logp, prior = np.round(logp / 6), np.round(prior / 6)
    candidates = [
        Candidate(str(i), "milan", a, b) for i, (a, b) in enumerate(zip(logp, prior, strict=True))
    ]
    stretches = envelope(candidates)
    starts = [at for at, _ in stretches]
    assert starts == sorted(starts)
    assert starts[0] == 0
    for weight in np.linspace(0, 1, 101):
        best = [place for at, place in stretches if at <= weight][-1]
        scores = logp - weight * prior
        assert scores[best] >= scores.max() - 1e-9


def test_texts_without_numbers_are_never_best() -> None:
    assert envelope([Candidate("a", "words", math.nan, math.nan)]) == []
    candidates = [Candidate("a", "words", math.nan, -1), Candidate("b", "milan", -5, -9)]
    assert envelope(candidates) == [(0.0, 1)]
