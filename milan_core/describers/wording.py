"""From labels of other programs to descriptions, exactly as the paper's comparison cleaned them.

>>> netdissect_text("sky-color-c")
'sky'
>>> compexp_text("((water-s OR blue_c) AND (NOT tall_tree))")
'water or blue and not tall tree'
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.ops.formulas import AND, AND_NOT, NONE, OR

CATEGORY_TAGS = frozenset("stc")  # scene, texture, color
_WORDS = {OR: "OR", AND: "AND", AND_NOT: "AND"}


def netdissect_text(label: str) -> str:
    """The part of a NetDissect label before the first `-`."""
    return label.partition("-")[0]


def compexp_text(label: str) -> str:
    """A Compositional Explanations label in lower case, without brackets and category tags.

    `-` and `_` become spaces, and the words `s`, `t` and `c` go; `and`, `or` and `not` stay.
    """
    text = label.lower().replace("(", "").replace(")", "")
    words = text.replace("-", " ").replace("_", " ").split()
    return " ".join(word for word in words if word not in CATEGORY_TAGS)


def concept_text(name: str) -> str:
    """A concept's name as a description: underscores are spaces."""
    return name.replace("_", " ")


def formula_label(joins: Sequence[int] | np.ndarray, names: Sequence[str]) -> str:
    """A formula in the notation of Compositional Explanations; empty without a part.

    `joins` and `names` have one entry per part; the first join is not looked at.

    >>> formula_label([0, 0, 2], ["dog", "cat", "red"])
    '((dog OR cat) AND (NOT red))'
    """
    text = ""
    for place, name in enumerate(names):
        join = int(joins[place])
        if join == NONE:
            break
        if place == 0:
            text = name
        else:
            text = f"({text} {_WORDS[join]} {f'(NOT {name})' if join == AND_NOT else name})"
    return text
