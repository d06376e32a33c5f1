"""The files of one trial, as the tables over all trials need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.experiments.generalization.options import TrialFacts
from milan_core.scoring.scorer import MAIN
from milan_core.scoring.tables import TEST, Score, read_descriptions, read_scores

Scores = Mapping[tuple[str, str], Score]
"""Scores by method and metric."""


@dataclass(frozen=True)
class Trial:
    """One trial with its scores, its descriptions, and the units that it was tested on."""

    facts: TrialFacts
    scores: Scores
    descriptions: Mapping[UnitKey, str]
    tested: Sequence[UnitKey]

    @property
    def key(self) -> tuple[str, str, str]:
        """Experiment, training side and described network: trials of one key differ by seeds."""
        return self.facts.experiment, self.facts.trained_on, self.facts.test


def read_trial(facts: TrialFacts, scores: Path, descriptions: Path) -> Trial:
    """Read scores.csv and descriptions.csv of one trial."""
    described = read_descriptions(descriptions)
    tested = list(read_descriptions(descriptions, TEST))
    return Trial(facts, scores_of(scores), described, tested)


def scores_of(path: Path) -> Scores:
    """The table of a trial's own scores; refuses one without the described method."""
    scores = {(row.method, row.metric): row for row in read_scores(path)}
    if not any(method == MAIN for method, _ in scores):
        raise UserError(f"{path} has no rows of method {MAIN!r}; run its score step again")
    return scores
