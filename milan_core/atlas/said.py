"""Everything that was said of the units of a network, with its held-out scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from milan_core.atlas.files import NetworkFiles
from milan_core.atlas.units import UnitRecord
from milan_core.core.files import read_csv
from milan_core.core.numbers import number
from milan_core.core.units import UnitKey
from milan_core.experiments.baselines.names import method_texts
from milan_core.referee.said import TRIVIAL, TRUTH
from milan_core.referee.scored import HEADLINE_COLUMNS
from milan_core.referee.section import CONTROL_NAMES, TRIVIAL_NAMES
from milan_core.scoring.tables import read_descriptions
from milan_core.scoring.units import unit_key

Kind = Literal["describer", "baseline", "truth"]
WITHIN, PUBLISHED, CAPTIONER, POOL = "within", "description", "milan", "pool"
OWN = "its own judge"  # that chose the text, on images that did not choose
NAMES = {
    CAPTIONER: "MILAN",
    POOL: "pool and verify",
    "pool_answered": "pool and verify, answered only",
    "linear": "linear explanation",
    **CONTROL_NAMES,
    WITHIN: "MILAN, trained on other units of this network",
}
CONTROLS = ("prior_only", "shuffled_masks")
"""Describers that look at no unit, or at the masks of others."""
Scores = tuple[float, ...]
"""Correlation, AUPRC lift, each followed by the ends of its interval; NaN where there is none."""


@dataclass
class Saying:
    """The text of one describer for one unit.

    Attributes:
        text: empty where it abstained.
        status: by judge, why the text has scores or none (`referee.scored.Status`).
        scores: by judge.

    """

    text: str
    status: dict[str, str] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """What all describers said of one network.

    Attributes:
        judges: in the order of the files.
        texts: by describer and unit, the describer of the published text first.
        main: that describer; empty where nothing was said.

    """

    judges: Sequence[str]
    texts: dict[str, dict[UnitKey, Saying]]
    main: str = ""

    def of(self, key: UnitKey) -> dict[str, Saying]:
        """By describer, what was said of one unit."""
        return {name: texts[key] for name, texts in self.texts.items() if key in texts}

    def main_scores(self, key: UnitKey) -> tuple[str, Scores] | None:
        """(judge, scores) of the published text by the first judge that scored it."""
        saying = self.texts.get(self.main, {}).get(key)
        if saying is None:
            return None
        return next(((judge, saying.scores[judge]) for judge in saying.scores), None)


def read_said(files: NetworkFiles, units: Sequence[UnitRecord]) -> Said:
    """Texts of the scores, of further tables, and of the table of descriptions itself."""
    texts: dict[str, dict[UnitKey, Saying]] = {}
    for judge, path in files.scores.items():
        for row in read_csv(path, ("describer", "layer", "unit", "description", "status")):
            saying = texts.setdefault(row["describer"], {}).setdefault(
                unit_key(row, path), Saying(row["description"])
            )
            saying.status[judge] = row["status"]
            if row["status"] in ("scored", "constant"):
                saying.scores[judge] = tuple(number(row.get(name)) for name in HEADLINE_COLUMNS)
    for name, path in files.said.items():
        table = read_descriptions(path)
        texts.setdefault(name, {key: Saying(text) for key, text in table.items()})
    main = _main(units, texts)
    if main not in texts and (own := {unit.key: Saying(unit.text) for unit in units if unit.text}):
        main = main or PUBLISHED
        texts[main] = own
    judges = list(files.scores)
    if not judges and _take_own(units, texts.get(main, {})):
        judges = [OWN]
    if chosen := {unit.key: Saying(unit.published) for unit in units if unit.published}:
        texts.setdefault(CAPTIONER, chosen)
    beside = {unit.key: Saying(unit.within) for unit in units if unit.within}
    if beside:
        texts.setdefault(WITHIN, beside)
    order = sorted(texts, key=lambda name: (name != main, _kinds.index(kind_of(name))))
    return Said(judges, {name: texts[name] for name in order}, main)


def _take_own(units: Sequence[UnitRecord], said: Mapping[UnitKey, Saying]) -> bool:
    """Take the scores of the table of descriptions itself; whether it has any."""
    known = [unit for unit in units if unit.correlation == unit.correlation and unit.key in said]
    for unit in known:
        said[unit.key].status[OWN] = "scored"
        unknown = float("nan"), float("nan"), float("nan")
        said[unit.key].scores[OWN] = (unit.correlation, unit.low, unit.high, *unknown)
    return bool(known)


_kinds: tuple[Kind, ...] = ("describer", "truth", "baseline")


def kind_of(name: str) -> Kind:
    """Whether a name is a describer's, a trivial baseline's or that of the known concept."""
    if name in TRIVIAL:
        return "baseline"
    return "truth" if name == TRUTH else "describer"


def of_unit(name: str) -> bool:
    """Whether the text of a describer of this name says something of the unit itself."""
    return kind_of(name) != "baseline" and name not in CONTROLS


def label_of(name: str, names: Mapping[str, str]) -> str:
    """The name of a describer for people."""
    known = {**method_texts(), **TRIVIAL_NAMES, **NAMES, **names}
    return known.get(name, name)


def _main(units: Sequence[UnitRecord], texts: Mapping[str, Mapping[UnitKey, Saying]]) -> str:
    """The describer of the published texts: as the table says, or whose texts are the same."""
    told = Counter(unit.describer for unit in units if unit.describer)
    if told:
        return told.most_common(1)[0][0]
    if any(unit.published for unit in units):  # only this one keeps the captioner's choice beside
        return POOL
    same = {
        name: sum(unit.key in said and said[unit.key].text == unit.text for unit in units)
        for name, said in texts.items()
        if kind_of(name) == "describer"
    }
    best = max(same, key=lambda name: same[name], default="")
    return best if best and same[best] else ""
