"""The units of one network: its tables joined, one record a unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from milan_core.atlas.files import NetworkFiles
from milan_core.core.files import read_csv
from milan_core.core.numbers import number
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.options import (
    DESCRIBED,
    MEANING,
    SEVERAL,
    UNRELIABLE,
    texts_of,
)
from milan_core.exemplars.status import SILENT, shows_nothing
from milan_core.scoring.joined import UNJUDGED, JoinedUnit, join_units
from milan_core.scoring.tables import AS_PUBLISHED, LABELS, STATUS
from milan_core.scoring.units import unit_key

NONE = math.nan


@dataclass(frozen=True)
class UnitRecord:
    """One unit; numbers are NaN and texts empty where a run has none.

    Attributes:
        layer, unit: its key.
        text: the published description, reliable or not.
        describer: who said it; empty where the table does not say.
        status: why it shows nothing to describe, or whether the description is reliable.
        confidence: probability that the description is right.
        likely: texts that other images would have chosen.
        logp, logp_lm, score: log p(d|E), log p(d), and what the description was chosen by.
        verdict: whether the description names the unit's known concept.
        concept, tier, coverage, support, specific: the known concept (`scoring.tables.Truth`).
        annotations: (annotator, text).
        labels: of a unit that responds to several things.
        published: the captioner's own description, where another describer chose among its texts.
        linear: signed, weighted words whose sum follows the unit's activations.
        correlation, low, high: of the description with the unit on images that did not choose it.
        within, within_side: by a captioner trained on other units of the network; train: on it.
        grade, tendency, share, base: of a describer that grades its words.
        importance: accuracy that the network loses without the unit.

    """

    layer: str
    unit: int
    text: str
    describer: str = ""
    status: str = ""
    confidence: float = NONE
    likely: tuple[str, ...] = ()
    logp: float = NONE
    logp_lm: float = NONE
    score: float = NONE
    verdict: str = UNJUDGED
    concept: str = ""
    tier: str = ""
    coverage: float = NONE
    support: int = 0
    specific: bool = False
    annotations: tuple[tuple[str, str], ...] = ()
    within: str = ""
    within_side: str = ""
    grade: str = ""
    tendency: str = ""
    share: float = NONE
    base: float = NONE
    importance: float = NONE
    labels: tuple[str, ...] = ()
    published: str = ""
    linear: str = ""
    correlation: float = NONE
    low: float = NONE
    high: float = NONE

    @property
    def key(self) -> UnitKey:
        """(layer, unit)."""
        return self.layer, self.unit

    @property
    def silent(self) -> bool:
        """Whether it shows nothing to describe."""
        return shows_nothing(self.status, self.text)

    @property
    def reliable(self) -> bool:
        """Whether its status says that its description is reliable."""
        return self.status in (DESCRIBED, SEVERAL)

    @property
    def shown(self) -> str:
        """Its description, or the words that say why it has none."""
        if self.silent:
            return SILENT[self.status]
        if self.status == UNRELIABLE:
            return MEANING[UNRELIABLE]
        if self.status == SEVERAL:
            return " / ".join(self.likely)
        return self.text or MEANING[UNRELIABLE]

    @property
    def says(self) -> bool:
        """Whether `shown` is a description."""
        return not self.silent and self.status != UNRELIABLE and bool(self.text)


def read_units(files: NetworkFiles, silent: Mapping[UnitKey, str]) -> list[UnitRecord]:
    """All units of a network in the order of its descriptions; refuses tables of other units.

    `silent` is the status of units that show nothing, for tables without a column of it.
    """
    joined = join_units(
        "atlas", files.name, files.descriptions, files.annotations, files.truth, silent
    )
    losses = _importance(files)
    return [_record(unit, losses.get(unit.key, NONE)) for unit in joined]


def _importance(files: NetworkFiles) -> dict[UnitKey, float]:
    path = files.importance
    if path is None:
        return {}
    rows = read_csv(path, ("layer", "unit", "importance"))
    return {unit_key(row, path): number(row["importance"]) for row in rows}


def _record(unit: JoinedUnit, importance: float) -> UnitRecord:
    row = unit.row
    return UnitRecord(
        layer=unit.key[0],
        unit=unit.key[1],
        text=row["description"],
        describer=row.get("describer") or "",
        status=row[STATUS] or "",
        confidence=number(row.get("confidence")),
        likely=texts_of(row.get("likely") or ""),
        logp=number(row.get("logp")),
        logp_lm=number(row.get("logp_lm")),
        score=number(row.get("score")),
        verdict=unit.verdict,
        annotations=unit.annotations,
        within=row.get("description_within") or "",
        within_side=row.get("side_within") or "",
        grade=row.get("grade") or "",
        tendency=row.get("tendency") or "",
        share=number(row.get("share")),
        base=number(row.get("base")),
        importance=importance,
        labels=texts_of(row.get(LABELS) or ""),
        published=row.get(AS_PUBLISHED) or "",
        linear=row.get("linear") or "",
        correlation=number(row.get("correlation")),
        low=number(row.get("low")),
        high=number(row.get("high")),
        **unit.concept(),
    )
