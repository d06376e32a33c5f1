"""The zoo's oracle: what texts say of scenes, by their facts.

    oracle = ZooOracle(scenes)
    oracle.columns(JudgedImages(dataset, ids), ["red circles on the left"])   # as any judge
    oracle.presence(["number of circles"])                                    # of all scenes

It reads what `referee.judges.reading` reads, with the zoo's lexicon, and beside it `number of X`
(as a share of the most that there can be), `size of X` (half for small, 1 for large), and `X rather
than Y` (1/2 + (X - Y) / 2). A formula of concepts with brackets and capital AND, OR, NOT is taken
literally. A text that it cannot read has a column of NaN.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from milan_core.images.store import Dataset
from milan_core.referee.judge import JudgedImages
from milan_core.referee.judges.reading import Formula, Leaf, Reader
from milan_core.world.zoo.expressions import Atom, Expression, Graded
from milan_core.world.zoo.facts import MOST, SIZES, Facts, Scene
from milan_core.world.zoo.lexicon import ordered, zoo_concepts, zoo_lexicon
from milan_core.world.zoo.stored import scene_facts

_COUNT = (r"(?:the )?(?:number|count) of (?:the )?(.+)", r"how many (.+?)(?: there are)?")
_SIZE = (r"(?:the )?size of (?:the )?(.+)", r"how (?:large|big) (?:the )?(.+?)(?: are| is)?")
TOKENS = 200  # of a formula; brackets in brackets are read by calls in calls
_LESS = re.compile(r"\s+(?:rather than|minus|less)\s+")
_TOKEN = re.compile(
    r"\(|\)|\bAND\b|\bOR\b|\bNOT\b|[^()]+?(?=\s*(?:\(|\)|\bAND\b|\bOR\b|\bNOT\b|$))"
)


class ZooOracle:
    """Ground truth of texts in scenes whose facts are known.

    Args:
        scenes: of the images, in their order.

    """

    name = "zoo oracle"
    model = "zoo oracle"

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._facts = Facts(scenes)
        self._reader = Reader(zoo_lexicon())

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Presence of each text in each image: float32 [images, texts], NaN if it is not read."""
        return self.presence(texts)[images.ids]

    def presence(self, texts: Sequence[str]) -> np.ndarray:
        """Presence of each text in every scene: float32 [scenes, texts]."""
        out = np.full((len(self._facts), len(texts)), np.nan, np.float32)
        for place, text in enumerate(texts):
            values = self._read(text)
            if values is not None:
                out[:, place] = values
        return out

    def _read(self, text: str) -> np.ndarray | None:
        if re.search(r"\b(AND|OR|NOT)\b", text):
            return self._literal(text)
        text = " ".join(text.lower().split()).rstrip(".")
        parts = _LESS.split(text)
        if len(parts) == 2:
            first, second = (self._read(part) for part in parts)
            return None if first is None or second is None else (1 + first - second) / 2
        for how, forms, most in (("count", _COUNT, MOST), ("size", _SIZE, len(SIZES))):
            for form in forms:
                if match := re.fullmatch(form, text):
                    return self._graded(how, match[1], most)
        formula = self._reader.read(ordered(text))
        return None if formula is None else self._value(formula)

    def _graded(self, how: str, noun: str, most: int) -> np.ndarray | None:
        formula = self._reader.read(ordered(noun))
        meant = _meant(formula) if isinstance(formula, Leaf) else None
        if not isinstance(meant, Atom):
            return None
        kind = Graded("count" if how == "count" else "size", meant)
        return kind.value(self._facts) / most

    def _value(self, formula: Formula) -> np.ndarray:
        if isinstance(formula, Leaf):
            return _meant(formula).value(self._facts)
        parts = np.stack([self._value(part) for part in formula.parts])
        if formula.how == "not":
            return np.asarray(1 - parts[0])
        if formula.how == "mean":
            return np.asarray(parts.mean(0))
        return np.asarray(parts.max(0) if formula.how == "any" else parts.min(0))

    def _literal(self, text: str) -> np.ndarray | None:
        """The value of a formula with brackets; AND binds no stronger than OR, left to right."""
        found = (token.strip() for token in _TOKEN.findall(" ".join(text.split())))
        tokens = list(filter(None, found))
        if len(tokens) > TOKENS:
            return None
        value = self._terms(tokens)
        return value if not tokens else None

    def _terms(self, tokens: list[str]) -> np.ndarray | None:
        value = self._term(tokens)
        while value is not None and tokens and tokens[0] in ("AND", "OR"):
            join = np.minimum if tokens.pop(0) == "AND" else np.maximum
            other = self._term(tokens)
            value = None if other is None else join(value, other)
        return value

    def _term(self, tokens: list[str]) -> np.ndarray | None:
        if not tokens:
            return None
        token = tokens.pop(0)
        if token == "NOT":
            value = self._term(tokens)
            return None if value is None else 1 - value
        if token == "(":
            value = self._terms(tokens)
            closed = bool(tokens) and tokens.pop(0) == ")"
            return value if closed else None
        return None if token in (")", "AND", "OR") else self._read(token)


def zoo_oracle(dataset: Dataset) -> ZooOracle:
    """The oracle of a data set of kind zoo.

    Raises:
        UserError: for images of another kind.

    """
    _, stored = dataset.require_world("ground truth")
    return ZooOracle([scene_facts(one, number) for number, one in enumerate(stored)])


def _meant(leaf: Leaf) -> Expression:
    """The expression of a color, a concept, or both; the scenery has no color."""
    if leaf.concept is None:
        return Atom(color=leaf.color)
    concept = zoo_concepts()[leaf.concept]
    return replace(concept, color=leaf.color) if isinstance(concept, Atom) else concept
