"""English for expressions: a description and paraphrases, all of which the oracle reads."""

from __future__ import annotations

from milan_core.world.zoo.expressions import (
    Atom,
    Expression,
    Graded,
    Joined,
    Minus,
    Number,
    Scenery,
)

SCENERY = {
    "mark": ("watermarks", "written letters"),
    "dark": ("dark backgrounds", "dark grounds"),
    "light": ("light backgrounds", "bright backgrounds"),
}
PLACED = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
}
PLURAL = {"cross": "crosses"}
OTHER = {
    "circle": "discs",
    "square": "boxes",
    "triangle": "wedges",
    "star": "stars",
    "cross": "plus signs",
    "heart": "hearts",
    None: "objects",
}


def description(expression: Expression) -> str:
    """The usual description; empty for a dead unit, about which there is nothing to say."""
    return _words(expression, 0)


def paraphrases(expression: Expression) -> tuple[str, ...]:
    """Other wordings of the same, without the usual one."""
    usual = description(expression)
    texts = [_words(expression, version) for version in (1, 2)]
    return tuple(dict.fromkeys(text for text in texts if text and text != usual))


def _words(expression: Expression, version: int) -> str:
    if isinstance(expression, Atom):
        return _noun(expression, version)
    if isinstance(expression, Scenery):
        return SCENERY[expression.what][version > 0]
    if isinstance(expression, Number):
        return ("any scene", "everything", "all images")[version] if expression.number else ""
    if isinstance(expression, Graded):
        thing = _noun(expression.atom, 0)
        form = {
            "count": ("number of {}", "how many {} there are", "count of {}"),
            "size": ("size of {}", "how large the {} are", "size of the {}"),
        }
        return form[expression.how][version].format(thing)
    if isinstance(expression, Minus):
        parts = (_words(part, 0) for part in (expression.first, expression.second))
        return (" rather than ", " minus ", " less ")[version].join(parts)
    assert isinstance(expression, Joined)
    return _joined(expression, version)


def _noun(atom: Atom, version: int) -> str:
    usual = PLURAL.get(atom.shape or "", f"{atom.shape or 'thing'}s")
    noun = OTHER[atom.shape] if version == 1 else usual
    if version == 2 and atom.color and atom == Atom(color=atom.color):
        return f"{atom.color} areas"
    words = (atom.size, atom.color, noun, PLACED.get(atom.place or ""))
    return " ".join(filter(None, words))


def _joined(expression: Joined, version: int) -> str:
    inner = 1 if version == 1 else 0
    if expression.how == "not":
        parts = " or ".join(_words(part, inner) for part in expression.parts)
        return ("no {}", "scenes without {}", "images with no {}")[version].format(parts)
    there = [p for p in expression.parts if not isinstance(p, Joined)]
    texts = [_words(part, inner) for part in there]
    if expression.how == "or":
        return (" or ", " or ", " and ")[version].join(texts)
    denied = [one for p in expression.parts if isinstance(p, Joined) for one in p.parts]
    if denied:
        others = " or ".join(_words(one, inner) for one in denied)
        return (" without ", " but no ", " and not ")[version].join([" and ".join(texts), others])
    if version == 2:
        return " beside ".join(texts)
    return f"both {' and '.join(texts)}"
