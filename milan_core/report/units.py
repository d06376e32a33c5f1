"""The units of one network as the pages show them: tables joined, one entry per unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from milan_core.core.names import file_name
from milan_core.core.numbers import number
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.options import (
    BETWEEN,
    DESCRIBED,
    MEANING,
    SEVERAL,
    UNRELIABLE,
)
from milan_core.exemplars.status import SILENT, shows_nothing
from milan_core.report.files import NetworkFiles
from milan_core.scoring.joined import UNJUDGED, JoinedUnit, join_units
from milan_core.scoring.tables import AS_PUBLISHED, LABELS, STATUS


@dataclass(frozen=True)
class UnitView:
    """One unit; numbers are NaN and texts empty where a run has none."""

    layer: str
    unit: int
    description: str
    logp: float
    logp_lm: float
    score: float
    verdict: str = UNJUDGED  # whether the description names the concept
    within: str = ""
    within_side: str = ""
    within_verdict: str = UNJUDGED
    annotations: tuple[tuple[str, str], ...] = ()  # (annotator, summary)
    concept: str = ""
    tier: str = ""
    coverage: float = math.nan
    support: int = 0
    specific: bool = False
    status: str = ""  # why it shows nothing to describe, or whether its description is reliable
    confidence: float = math.nan  # P(right)
    likely: tuple[str, ...] = ()  # texts that other images would have chosen
    grade: str = ""  # A, B or C, of a describer that grades its words
    tendency: str = ""  # what a B unit follows weakly
    share: float = math.nan  # of the strongest images that show the word
    base: float = math.nan  # of all images that do
    chosen: bool = False  # a judge chose the description among candidates
    labels: tuple[str, ...] = ()  # of a unit that responds to several things
    published: str = ""  # the captioner's own description, as published
    linear: str = ""  # signed, weighted words
    correlation: float = math.nan  # of the description with the unit on held-out images
    low: float = math.nan  # its 95 % interval
    high: float = math.nan

    @property
    def shown(self) -> str:
        """Its description, or why it has none."""
        if self.silent:
            return f"({SILENT[self.status]})"
        if self.status == UNRELIABLE:
            return MEANING[UNRELIABLE]
        if self.status == SEVERAL:
            return " / ".join(self.likely)
        return self.description or ("no reliable description" if self.grade else "(empty)")

    @property
    def silent(self) -> bool:
        """Whether it shows nothing to describe."""
        return shows_nothing(self.status, self.description)

    @property
    def reliable(self) -> bool:
        """Whether it has a status that says that its description is reliable."""
        return self.status in (DESCRIBED, SEVERAL)

    @property
    def guess(self) -> str:
        """The description that is not reliable; empty elsewhere."""
        return self.description if self.status == UNRELIABLE else ""

    @property
    def anchor(self) -> str:
        """Its anchor on a page."""
        return f"{file_name(self.layer)}-{self.unit}"


def read_units(files: NetworkFiles, silent: Mapping[UnitKey, str]) -> list[UnitView]:
    """All units of a network in the order of its descriptions; refuses tables of other units.

    `silent` is the status of units that show nothing, for tables that do not have it.
    """
    joined = join_units(
        "report",
        files.facts.name,
        files.descriptions,
        files.annotations,
        files.truth,
        silent,
    )
    return [_view(unit) for unit in joined]


def _view(unit: JoinedUnit) -> UnitView:
    row, within = unit.row, unit.row.get("description_within") or ""
    return UnitView(
        layer=unit.key[0],
        unit=unit.key[1],
        description=row["description"],
        logp=number(row.get("logp")),
        logp_lm=number(row.get("logp_lm")),
        score=number(row.get("score")),
        verdict=unit.verdict,
        within=within,
        within_side=row.get("side_within") or "",
        within_verdict=unit.verdict_on(within) if within else UNJUDGED,
        annotations=unit.annotations,
        status=row[STATUS] or "",
        confidence=number(row.get("confidence")),
        likely=tuple(text for text in (row.get("likely") or "").split(BETWEEN) if text),
        grade=row.get("grade") or "",
        tendency=row.get("tendency") or "",
        share=number(row.get("share")),
        base=number(row.get("base")),
        chosen=AS_PUBLISHED in row,
        labels=tuple(text for text in (row.get(LABELS) or "").split(BETWEEN) if text),
        published=row.get(AS_PUBLISHED) or "",
        linear=row.get("linear") or "",
        correlation=number(row.get("correlation")),
        low=number(row.get("low")),
        high=number(row.get("high")),
        **unit.concept(),
    )
