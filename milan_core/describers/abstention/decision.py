"""The status of a unit: described, described by several texts, or no reliable description.

A unit is answered where it passes the null test and its confidence reaches the threshold. A text
that fewer than half of the bootstraps choose is not shown alone: the set that they choose is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.core.units import UnitKey
from milan_core.describers.abstention.calibration import Calibration
from milan_core.describers.abstention.evidence import FEATURES, Evidence
from milan_core.describers.abstention.options import (
    DESCRIBED,
    MEANING,
    SEVERAL,
    UNRELIABLE,
    Outcome,
)
from milan_core.describers.abstention.stability import STABLE


@dataclass(frozen=True)
class Decision:
    """The decision on a unit's description.

    Attributes:
        key: (layer, unit).
        text: the description that was decided on; it is kept for the record where it is unreliable.
        status: what is shown.
        confidence: P(right), 0 to 1; 0 where the null test is not passed.
        likely: the texts that bootstraps choose, the most frequent first.

    """

    key: UnitKey
    text: str
    status: Outcome
    confidence: float
    likely: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether something is said of the unit."""
        return self.status != UNRELIABLE

    @property
    def shown(self) -> str:
        """The text of a page about the unit."""
        if self.status == UNRELIABLE:
            return MEANING[UNRELIABLE]
        return " / ".join(self.likely) if self.status == SEVERAL else self.text


def decide(evidence: Evidence, calibration: Calibration) -> list[Decision]:
    """The decision on every unit, in the order of the evidence."""
    confidence = calibration.confidence(evidence.features, evidence.passed)
    stability = evidence.features[:, FEATURES.index("stability")]
    answered = evidence.passed & (confidence >= calibration.threshold)
    torn = np.nan_to_num(stability, nan=1.0) < STABLE
    decisions = []
    for unit, key in enumerate(evidence.keys):
        status = UNRELIABLE
        if answered[unit]:
            status = SEVERAL if torn[unit] and len(evidence.likely[unit]) > 1 else DESCRIBED
        decisions.append(
            Decision(
                key,
                evidence.texts[unit],
                status,
                float(confidence[unit]),
                evidence.likely[unit],
            )
        )
    return decisions
