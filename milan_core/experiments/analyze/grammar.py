"""Word classes and sentence structure of descriptions, by a trained spaCy pipeline.

The pipeline is read from the unpacked folder of a package; nothing is imported from it. Definitions
are those of the published analysis (spec 5.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.packages import optional

_UNUSED = ["ner", "lemmatizer", "senter"]


@dataclass(frozen=True)
class Parse:
    """One description: its tokens, their universal word classes, and the depth of its tree."""

    tokens: tuple[str, ...]
    classes: tuple[str, ...]  # NOUN, VERB, ADJ, ADP, ...
    depth: int  # longest path from the last root to a token below it; 0 for one word

    def count(self, word_class: str) -> int:
        """Number of tokens of a word class."""
        return self.classes.count(word_class)


def pipeline_folder(asset: Path) -> Path:
    """The folder below an asset (its folder or asset.json) that holds a spaCy pipeline."""
    root = asset if asset.is_dir() else asset.parent
    for config in sorted(root.rglob("config.cfg")):
        if (config.parent / "meta.json").is_file():
            return config.parent
    message = (
        f"no spaCy pipeline below {root} (config.cfg beside meta.json); fetch the asset again, "
        "or set analyze.parser to null"
    )
    raise UserError(message)


class Parser:
    """A spaCy pipeline from a folder; texts are parsed once in its life."""

    def __init__(self, folder: Path | str) -> None:
        spacy = optional("spacy", "workflow", "to parse descriptions")
        try:
            self._pipeline = spacy.load(folder, exclude=_UNUSED)
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            message = f"spaCy cannot load {folder}: {first}; fetch the asset again"
            raise UserError(message) from None
        self._known: dict[str, Parse] = {}

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """The parses of `texts`, in their order."""
        new = sorted(set(texts) - self._known.keys())
        for text, document in zip(new, self._pipeline.pipe(new), strict=True):
            self._known[text] = _parse(document)
        return [self._known[text] for text in texts]


def _parse(document: Any) -> Parse:
    # White space is a token of its own for spaCy, but no word of a description.
    words = [token for token in document if not token.is_space]
    roots = [token for token in words if token.head is token or token.head == token]
    return Parse(
        tuple(token.text for token in words),
        tuple(token.pos_ for token in words),
        _depth(roots[-1]) if roots else 0,
    )


def _depth(token: Any) -> int:
    children: Iterable[Any] = token.children
    return max((1 + _depth(child) for child in children), default=0)
