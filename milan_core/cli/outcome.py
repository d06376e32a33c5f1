"""The last line of `milan describe`: how many units have a description, and how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from milan_core.core.numbers import counted
from milan_core.describers.describer import Descriptions

_GRADES = "A is described, B has a tendency only, C nothing (docs/photographs.md)"


def outcome(said: Descriptions, counts: Mapping[str, int] | None = None) -> str:
    """One sentence of counts.

    Args:
        said: what the describer says.
        counts: units by status, of a describer whose descriptions are assessed.

    """
    units = counted(len(said.keys), "unit")
    if counts is not None:
        return f"{counts.get('reliable', 0)} of {units} have a reliable description"
    grades = Counter(str(row.cells["grade"]) for row in said.rows if "grade" in row.cells)
    described = sum(bool(row.text) for row in said.rows)
    sentence = f"{described} of {units} have a description"
    if grades:
        found = ", ".join(f"{grades[name]} {name}" for name in sorted(grades) if name)
        sentence += f"; grades: {found}; {_GRADES}"
    return sentence
