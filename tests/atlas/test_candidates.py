"""The best text at every lambda."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from milan_core.atlas.candidates import Candidate, envelope

values = st.lists(
    st.tuples(st.floats(-30, 0), st.floats(-60, 0)),
    min_size=1,
    max_size=20,
)


@given(values)
def test_the_envelope_is_best_at_every_lambda(numbers: list[tuple[float, float]]) -> None:
    candidates = [Candidate(str(i), "milan", a, b) for i, (a, b) in enumerate(numbers)]
    stretches = envelope(candidates)
    starts = [at for at, _ in stretches]
    assert starts == sorted(starts)
    assert starts[0] == 0
    for weight in np.linspace(0, 1, 41):
        best = [place for at, place in stretches if at <= weight][-1]
        scores = [a - weight * b for a, b in numbers]
        assert scores[best] >= max(scores) - 1e-6


def test_texts_without_numbers_are_never_best() -> None:
    assert envelope([Candidate("a", "words", math.nan, math.nan)]) == []
    candidates = [Candidate("a", "words", math.nan, -1), Candidate("b", "milan", -5, -9)]
    assert envelope(candidates) == [(0.0, 1)]
