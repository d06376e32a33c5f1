"""Reading a table of descriptions that somebody else wrote: every row is accounted for.

The columns are layer, unit and description (or another one for the text), optionally weight. A unit
may have several rows: texts that hold together, with weights a linear explanation. Markup is taken
out of texts, rows that say the same again count once, and a row without text is an abstention.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.annotations.records import unit_number, unit_text
from milan_core.core.errors import UserError, nearest
from milan_core.core.files import numbered_rows
from milan_core.core.numbers import counted
from milan_core.core.units import UnitKey
from milan_core.referee.scored import Explanation

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)
_MARK = re.compile(r"</?[a-zA-Z][^<>]*>")
_CODE = re.compile(r"<(script|style)\b", re.IGNORECASE)
_CODE_END = re.compile(r"</(script|style)\s*>", re.IGNORECASE)
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")  # also turns of direction
LONG = 300  # letters from which a text is cut in tables for people

Line = tuple[UnitKey, str, float | None]


@dataclass(frozen=True)
class Submitted:
    """Explanations of units, and what was done with the rows of their table.

    Attributes:
        explanations: by unit; without texts where every row of the unit is empty.
        rows: of the table.
        empty: rows without text.
        repeated: rows that say of a unit what another row says.
        marked: rows whose markup was taken out.
        listed: units with several texts.

    """

    explanations: dict[UnitKey, Explanation]
    rows: int
    empty: int
    repeated: int
    marked: int
    listed: int

    @property
    def texts(self) -> int:
        """Rows that are scored: the rows less the empty and the repeated ones."""
        return sum(len(one.texts) for one in self.explanations.values())

    @property
    def distinct(self) -> list[str]:
        """Every text once, in the order of the units."""
        return list(dict.fromkeys(t for one in self.explanations.values() for t in one.texts))

    def notes(self) -> list[str]:
        """Sentences on the treatment of the rows; the numbers add up to the rows."""
        notes = [
            f"{counted(self.rows, 'row')}: {counted(self.texts, 'text')} of "
            f"{counted(len(self.explanations), 'unit')}, {self.empty} without text, "
            f"{self.repeated} with the same text as another row of their unit."
        ]
        if self.marked:
            notes.append(f"Markup was taken out of {counted(self.marked, 'text')}.")
        if self.listed:
            notes.append(
                f"{counted(self.listed, 'unit')} with several different texts: these are scored "
                "as one explanation, the mean of their presence or the weighted sum."
            )
        return notes

    def several(self) -> list[str]:
        """Sentences that name the units with several different texts, by the number of texts."""
        units: dict[int, list[str]] = {}
        for (layer, unit), one in self.explanations.items():
            units.setdefault(len(one.texts), []).append(f"{layer}, {unit}")
        return [
            f"{count} rows for {named[0]}"
            + (f" and for each of {counted(len(named) - 1, 'other unit')}" if named[1:] else "")
            + " are scored as one explanation"
            for count, named in sorted(units.items())
            if count > 1
        ]


def plain(text: str) -> str:
    """A text without tags, scripts, entities, characters that nobody sees, superfluous spaces."""
    without = html.unescape(_without_marks(_without_code(text)))
    return " ".join(_BREAKS.sub(" ", _UNSEEN.sub("", without)).split())


def _without_code(text: str) -> str:
    """A text without scripts and styles; those that do not end stay."""
    ends = list(_CODE_END.finditer(text))
    parts, done, after = [], 0, dict.fromkeys(("script", "style"), 0)
    for begin in _CODE.finditer(text):
        name, place = begin[1].lower(), begin.start()
        after[name] = next(
            (n for n in range(after[name], len(ends)) if _closes(ends[n], name, begin.end())),
            len(ends),
        )
        if place >= done and after[name] < len(ends):
            parts.append(text[done:place])
            done = ends[after[name]].end()
    return " ".join([*parts, text[done:]])


def _closes(end: re.Match[str], name: str, place: int) -> bool:
    return end[1].lower() == name and end.start() >= place


def _without_marks(text: str) -> str:
    """A text without tags and comments; comments that do not end, and are not searched, stay."""
    end = text.rfind("-->") + len("-->") if "-->" in text else 0
    return _TAG.sub(" ", text[:end]) + _MARK.sub(" ", text[end:])


def read_submitted(path: Path | str, column: str = "description") -> Submitted:
    """Read a CSV table.

    Raises:
        UserError: with file and line, for another encoding, missing columns, a unit that is no
            number, or a weight that is none.

    """
    lines: list[Line] = []
    for line, row in numbered_rows(path, ("layer", "unit", column)):
        where = f"{path}, line {line}"
        unit = unit_number(row["unit"], where)
        text, weight = unit_text(row[column], where), _weight(row.get("weight"), where)
        lines.append(((row["layer"].strip(), unit), text, weight))
    if not lines:
        raise UserError(f"{path} holds no description; expected a row for each unit")
    return submitted(lines, str(path))


def from_mapping(given: Mapping[UnitKey, str | Sequence[str]]) -> Submitted:
    """Texts by (layer, unit): one, or a list of several."""
    lines: list[Line] = []
    for key, texts in given.items():
        if not isinstance(key, tuple) or len(key) != 2:
            raise UserError(f"descriptions: got the key {key!r}; expected (layer, unit)")
        where = f"descriptions: {key!r}"
        several = isinstance(texts, Iterable) and not isinstance(texts, str)
        parts = list(texts) or [""] if several else [texts]
        unit = str(key[0]), unit_number(str(key[1]), where)
        lines += [(unit, _text(text, where), None) for text in parts]
    return submitted(lines, "descriptions")


def from_rows(rows: Any) -> Submitted:
    """Rows as `milan.describe(...).rows` and `captioner.describe` give them.

    Raises:
        UserError: for what are no rows with layer, unit and description.

    """
    listed = isinstance(rows, list | tuple)
    odd = next((row for row in rows if not isinstance(row, Mapping)), None) if listed else rows
    if odd is not None:
        got = f"a {type(rows).__name__} of {type(odd).__name__}" if listed else type(rows).__name__
        raise UserError(
            f"descriptions: got {got}; expected texts by (layer, unit), a table's "
            "path, or rows: the `rows` of milan.describe, or `frame.to_dict('records')` of pandas"
        )
    lines: list[Line] = []
    for number, row in enumerate(rows):
        where = f"descriptions: row {number}"
        if lacking := [name for name in ("layer", "unit", "description") if name not in row]:
            raise UserError(f"{where} lacks {lacking[0]!r}; it has {', '.join(map(str, row))}")
        unit = str(row["layer"]).strip(), unit_number(str(row["unit"]), where)
        weight = _weight(str(row["weight"]) if row.get("weight") is not None else None, where)
        lines.append((unit, _text(row["description"], where), weight))
    return submitted(lines, "descriptions")


def _text(text: Any, where: str) -> str:
    if text is None or (isinstance(text, float) and math.isnan(text)):  # an empty cell of pandas
        return ""
    if not isinstance(text, str):
        raise UserError(f"{where}: got {type(text).__name__} {text!r}; expected a text")
    return text


def _weight(cell: str | None, where: str) -> float | None:
    if cell is None or not cell.strip():
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: weight must be a number, got {cell!r}; leave it empty for none")
    return value


def submitted(lines: Iterable[Line], where: str) -> Submitted:
    """Explanations of rows (unit, text, weight or None).

    Raises:
        UserError: a unit has texts with and without weights.

    """
    parts: dict[UnitKey, dict[tuple[str, float | None], None]] = {}
    rows = empty = repeated = marked = 0
    for key, raw, weight in lines:
        text = plain(raw)
        rows, marked = rows + 1, marked + (_without_marks(raw) != raw)
        known = parts.setdefault(key, {})
        empty += not text
        repeated += bool(text) and (text, weight) in known
        if text:
            known[text, weight] = None
    explanations = {key: _explained(key, list(known), where) for key, known in parts.items()}
    listed = sum(len(one.texts) > 1 for one in explanations.values())
    return Submitted(explanations, rows, empty, repeated, marked, listed)


def _explained(key: UnitKey, pairs: list[tuple[str, float | None]], where: str) -> Explanation:
    texts = tuple(text for text, _ in pairs)
    weights = tuple(weight for _, weight in pairs if weight is not None)
    if weights and len(weights) != len(texts):
        raise UserError(
            f"{where}: layer {key[0]!r} unit {key[1]} has {len(texts)} texts and {len(weights)} "
            "weights; give all of them a weight, or none"
        )
    alone = len(texts) == 1 and all(weight > 0 for weight in weights)  # a scale changes no score
    return Explanation(key, texts, () if alone else weights)


def unknown_units(keys: Iterable[UnitKey], there: Sequence[UnitKey]) -> list[str]:
    """Sentences on units that a network does not have, layer by layer."""
    counts: dict[str, int] = {}
    for layer, unit in there:
        counts[layer] = max(counts.get(layer, 0), unit + 1)
    outside: dict[str, list[int]] = {}
    for layer, unit in keys:
        if unit >= counts.get(layer, 0):
            outside.setdefault(layer, []).append(unit)
    notes = []
    for layer, units in outside.items():
        if layer in counts:
            notes.append(
                f"Layer {layer!r} has {counted(counts[layer], 'unit')}, numbered from 0; the "
                f"table names {counted(len(units), 'unit')} beyond, such as {min(units)}."
            )
            continue
        close = nearest(layer, counts)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(counts)}."
        number = counted(len(units), "unit")
        notes.append(f"The network has no layer {layer!r} ({number} of the table); {hint}")
    return notes
