"""The units of one network as the pages show them: tables joined, one entry per unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from milan_core.annotations.records import Annotation, read_annotations
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.names import file_name
from milan_core.core.numbers import number
from milan_core.core.tables import grouped
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.options import (
    BETWEEN,
    DESCRIBED,
    MEANING,
    SEVERAL,
    UNRELIABLE,
)
from milan_core.exemplars.status import SILENT
from milan_core.report.files import NetworkFiles
from milan_core.scoring.tables import AS_PUBLISHED, LABELS, STATUS, Truth, read_truth
from milan_core.scoring.units import unit_key

CORRECT, WRONG, UNJUDGED = "names", "misses", "open"
_KEY = ("layer", "unit")


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
        """Whether it shows nothing; a saturated unit may have the text of what ranks images."""
        return self.status in SILENT and not (self.status == "saturated" and self.description)

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
    path = files.descriptions
    rows = {unit_key(row, path): row for row in read_csv(path, (*_KEY, "description"))}
    annotations = read_annotations(files.annotations) if files.annotations else []
    truths = read_truth(files.truth) if files.truth else {}
    texts = grouped(annotations, lambda item: (item.layer, item.unit))
    for what, table in (("annotations", texts), ("truth", truths)):
        if strange := table.keys() - rows.keys():
            layer, unit = min(strange)
            raise UserError(
                f"report: the {what} of {files.facts.name!r} hold layer {layer!r} unit {unit}, "
                "which its descriptions lack; they come from different runs, so describe the "
                "network again"
            )
    return [
        _view(key, {STATUS: silent.get(key, "")} | row, texts.get(key, ()), truths.get(key))
        for key, row in rows.items()
    ]


def _view(
    key: UnitKey, row: Mapping[str, str], annotations: Sequence[Annotation], truth: Truth | None
) -> UnitView:
    within = row.get("description_within") or ""
    facts: dict[str, Any] = {}
    if truth is not None:
        names = ("concept", "tier", "coverage", "support", "specific")
        facts = {name: getattr(truth, name) for name in names}
    return UnitView(
        layer=key[0],
        unit=key[1],
        description=row["description"],
        logp=number(row.get("logp")),
        logp_lm=number(row.get("logp_lm")),
        score=number(row.get("score")),
        verdict=UNJUDGED if row[STATUS] in SILENT else _verdict(row["description"], truth),
        within=within,
        within_side=row.get("side_within") or "",
        within_verdict=_verdict(within, truth) if within else UNJUDGED,
        annotations=tuple((item.annotator, item.summary) for item in annotations),
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
        **facts,
    )


def _verdict(description: str, truth: Truth | None) -> str:
    """Whether the description names the concept, where the unit has a specific one."""
    if truth is None or not truth.specific:
        return UNJUDGED
    return CORRECT if truth.named_by(description) else WRONG
