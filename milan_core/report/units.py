"""The units of one network as the pages show them: tables joined, one entry per unit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.numbers import number
from milan_core.report.files import NetworkFiles
from milan_core.scoring.words import names_concept, split_accept

CORRECT, WRONG, UNJUDGED = "names", "misses", "open"
_KEY = ("layer", "unit")

Row = Mapping[str, str]
Key = tuple[str, str]


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

    @property
    def anchor(self) -> str:
        """Its place on a page."""
        return f"{safe_name(self.layer)}-{self.unit}"


def safe_name(text: str) -> str:
    """`text` as part of a file name or anchor."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)


def _by_unit(path: Path | None, columns: tuple[str, ...]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    if path is not None:
        for row in read_csv(path, (*_KEY, *columns)):
            found.setdefault((row["layer"], row["unit"]), []).append(row)
    return found


def _verdict(description: str, truth: Row | None) -> str:
    if truth is None or not _specific(truth):
        return UNJUDGED
    return CORRECT if names_concept(description, split_accept(truth["accept"])) else WRONG


def _specific(truth: Row) -> bool:
    return truth["specific"].strip().lower() in ("1", "true")


def read_units(files: NetworkFiles) -> list[UnitView]:
    """All units of a network in the order of its descriptions; refuses tables of other units."""
    model = files.facts.name
    descriptions = read_csv(files.descriptions, (*_KEY, "description"))
    annotations = _by_unit(files.annotations, ("summary", "annotator"))
    truths = _by_unit(files.truth, ("concept", "tier", "specific", "accept"))
    keys = {(row["layer"], row["unit"]) for row in descriptions}
    for what, table in (("annotations", annotations), ("truth", truths)):
        strange = table.keys() - keys
        if strange:
            layer, unit = min(strange)
            message = (
                f"report: the {what} of {model!r} hold layer {layer!r} unit {unit}, which its "
                "descriptions lack; they come from different runs, so describe the network again"
            )
            raise UserError(message)
    return [_view(row, annotations, truths) for row in descriptions]


def _view(row: Row, annotations: dict[Key, list[Row]], truths: dict[Key, list[Row]]) -> UnitView:
    key = row["layer"], row["unit"]
    truth = truths[key][0] if key in truths else None
    within = row.get("description_within") or ""
    facts: dict[str, Any] = {}
    if truth is not None:
        facts = {
            "concept": truth["concept"],
            "tier": truth["tier"],
            "coverage": number(truth.get("coverage")),
            "support": int(number(truth.get("support") or "0")),
            "specific": _specific(truth),
        }
    return UnitView(
        layer=row["layer"],
        unit=int(row["unit"]),
        description=row["description"],
        logp=number(row.get("logp")),
        logp_lm=number(row.get("logp_lm")),
        score=number(row.get("score")),
        verdict=_verdict(row["description"], truth),
        within=within,
        within_side=row.get("side_within") or "",
        within_verdict=_verdict(within, truth) if within else UNJUDGED,
        annotations=tuple((r["annotator"], r["summary"]) for r in annotations.get(key, ())),
        **facts,
    )
