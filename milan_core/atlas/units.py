"""The units of one network: its tables joined, one record a unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from milan_core.annotations.records import read_annotations
from milan_core.atlas.files import NetworkFiles
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
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
from milan_core.scoring.tables import STATUS, Truth, read_truth
from milan_core.scoring.units import unit_key

CORRECT, WRONG, UNJUDGED = "names", "misses", "open"
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

    @property
    def key(self) -> UnitKey:
        """(layer, unit)."""
        return self.layer, self.unit

    @property
    def silent(self) -> bool:
        """Whether it shows nothing; a saturated unit may have the text of what ranks images."""
        return self.status in SILENT and not (self.status == "saturated" and self.text)

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
    path = files.descriptions
    rows = {unit_key(row, path): row for row in read_csv(path, ("layer", "unit", "description"))}
    annotations = read_annotations(files.annotations) if files.annotations else []
    truths = read_truth(files.truth) if files.truth else {}
    texts = grouped(annotations, lambda item: (item.layer, item.unit))
    losses = _importance(files)
    for what, table in (("annotations", texts), ("truth", truths)):
        _check_known(files, what, table, rows)
    return [
        _record(
            key,
            {STATUS: silent.get(key, "")} | row,
            tuple((item.annotator, item.summary) for item in texts.get(key, ())),
            truths.get(key),
            losses.get(key, NONE),
        )
        for key, row in rows.items()
    ]


def _importance(files: NetworkFiles) -> dict[UnitKey, float]:
    path = files.importance
    if path is None:
        return {}
    rows = read_csv(path, ("layer", "unit", "importance"))
    return {unit_key(row, path): number(row["importance"]) for row in rows}


def _check_known(
    files: NetworkFiles, what: str, table: Iterable[UnitKey], rows: Mapping[UnitKey, Any]
) -> None:
    if strange := set(table) - rows.keys():
        layer, unit = min(strange)
        raise UserError(
            f"atlas: the {what} of {files.name!r} hold layer {layer!r} unit {unit}, which its "
            "descriptions lack; they come from different runs, so describe the network again"
        )


def _record(
    key: UnitKey,
    row: Mapping[str, str],
    annotations: tuple[tuple[str, str], ...],
    truth: Truth | None,
    importance: float,
) -> UnitRecord:
    facts: dict[str, Any] = {}
    if truth is not None:
        names = ("concept", "tier", "coverage", "support", "specific")
        facts = {name: getattr(truth, name) for name in names}
    status = row[STATUS] or ""
    return UnitRecord(
        layer=key[0],
        unit=key[1],
        text=row["description"],
        describer=row.get("describer") or "",
        status=status,
        confidence=number(row.get("confidence")),
        likely=tuple(text for text in (row.get("likely") or "").split(BETWEEN) if text),
        logp=number(row.get("logp")),
        logp_lm=number(row.get("logp_lm")),
        score=number(row.get("score")),
        verdict=UNJUDGED if status in SILENT else verdict(row["description"], truth),
        annotations=annotations,
        within=row.get("description_within") or "",
        within_side=row.get("side_within") or "",
        grade=row.get("grade") or "",
        tendency=row.get("tendency") or "",
        share=number(row.get("share")),
        base=number(row.get("base")),
        importance=importance,
        **facts,
    )


def verdict(description: str, truth: Truth | None) -> str:
    """Whether a description names the concept, where the unit has a specific one."""
    if truth is None or not truth.specific:
        return UNJUDGED
    return CORRECT if truth.named_by(description) else WRONG
