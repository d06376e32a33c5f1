"""Candidate texts of every unit, and which of them is best at every lambda.

The captioner's score of a text is log p(d|E) - lambda log p(d): a line over lambda. The best
text is the upper envelope of a unit's lines, a few stretches of lambda with one text each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.describers.ranking import read_ranking
from milan_core.scoring.beams import read_beams

NONE = float("nan")
MOST = 1.0  # largest lambda of the page's slider


@dataclass(frozen=True)
class Candidate:
    """One text that was considered; numbers are NaN where nobody computed them.

    Attributes:
        text: the text.
        source: who proposed it.
        logp, logp_lm: log p(d|E) and log p(d).
        fit: agreement with the activations on mining images.
        score: what the ranking is by.
        wins: share of bootstraps of these images in which it comes first.

    """

    text: str
    source: str
    logp: float
    logp_lm: float
    fit: float = NONE
    score: float = NONE
    wins: float = NONE


Candidates = Mapping[UnitKey, Sequence[Candidate]]


def read_candidates(path: Path | None) -> Candidates:
    """Candidates by unit: of the pool's ranking, best first, or of the captioner's beams."""
    if path is None:
        return {}
    if path.suffix == ".csv":
        return {
            key: [
                Candidate(one.text, one.source, one.logp, one.logp_lm, one.fit, one.score, one.wins)
                for one in ranked
            ]
            for key, ranked in read_ranking(path).items()
        }
    beams = read_beams(path)
    return {
        key: [
            Candidate(text, "milan", float(logp), float(logp_lm))
            for text, logp, logp_lm in zip(
                beams.captions[row], beams.logp[row], beams.logp_lm[row], strict=True
            )
        ]
        for row, key in enumerate(beams.units)
    }


def envelope(candidates: Sequence[Candidate], most: float = MOST) -> list[tuple[float, int]]:
    """(lambda from which it is best, place of the candidate), from 0 to `most`, rising.

    Candidates without both log-probabilities are left out; of equal ones the one with the higher
    log p(d|E), then the earlier.
    """
    logp = np.array([one.logp for one in candidates], float)
    slope = -np.array([one.logp_lm for one in candidates], float)
    able = np.isfinite(logp) & np.isfinite(slope)
    if not able.any():
        return []
    logp[~able], slope[~able] = -np.inf, 0
    at, best = 0.0, int(np.argmax(logp))
    ties = np.flatnonzero(logp == logp[best])
    best = int(ties[np.argmax(slope[ties])])
    stretches = [(0.0, best)]
    while True:
        steeper = slope > slope[best]
        if not steeper.any():
            return stretches
        with np.errstate(invalid="ignore"):
            crossing = np.where(
                steeper, (logp[best] - logp) / np.where(steeper, slope - slope[best], 1), np.inf
            )
        at = max(at, float(crossing.min()))
        if at > most:
            return stretches
        ties = np.flatnonzero(crossing <= at)
        best = int(ties[np.argmax(slope[ties])])
        stretches.append((at, best))
