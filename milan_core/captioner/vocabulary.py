"""Descriptions as token ids and back.

A `Vocabulary` maps words to ids, a `Tokenizer` adds the rules that split English text into words:

    vocabulary = Vocabulary.from_texts(["the dog", "the cat"])
    tokenizer = Tokenizer(vocabulary)
    ids = tokenizer.encode(["the dog", "dog"])  # int64 (2, 4): start, words, stop, padding
    tokenizer.decode(ids)                       # ["The dog", "Dog"]

The rules are those of the published system (Hernandez et al. 2022, section 3.2 and its code):
spaCy's English tokenizer, lower case, nothing removed. Decoding needs no spaCy.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.packages import optional

SPECIALS = ("<start>", "<stop>", "<pad>", "<unk>")
"""Names of the ids that follow the words, in id order."""


@functools.cache
def _spacy_tokenizer() -> Callable[[str], Any]:
    """The rule tokenizer of spaCy for English; no trained pipeline is needed to split words."""
    spacy = optional("spacy", "workflow", "to split descriptions into words")
    return spacy.blank("en").tokenizer


def tokenize(text: str) -> list[str]:
    """The lower-case words and punctuation marks of `text`, white space dropped."""
    words = (token.text.strip().lower() for token in _spacy_tokenizer()(text))
    return [word for word in words if word]


def reconstruct(words: Iterable[str]) -> str:
    """Words as a readable line: ("dog", "-", "like", ",", "faces") gives "Dog-like, faces"."""
    return _line(" ".join(words))


@functools.lru_cache(maxsize=2**16)
def _line(text: str) -> str:
    """`reconstruct`, remembered: beams of many units end with the same few thousand texts."""
    text = re.sub(r" ([.,;:])", r"\1", text)
    text = re.sub(r" ?- ?", "-", text)
    return ". ".join(piece.strip().capitalize() for piece in text.split(".")).strip()


@dataclass(frozen=True)
class Vocabulary:
    """Words by id; the ids after the last word are start, stop, pad and unknown."""

    words: tuple[str, ...]

    @classmethod
    def from_tokens(cls, texts: Iterable[Sequence[str]]) -> Vocabulary:
        """Every word of the tokenized `texts`, most frequent first, ties by first appearance."""
        counts = Counter(word for words in texts for word in words)
        return cls(tuple(word for word, _ in counts.most_common()))

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Vocabulary:
        """The vocabulary of plain texts."""
        return cls.from_tokens(map(tokenize, texts))

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """The id of every word."""
        return {word: index for index, word in enumerate(self.words)}

    @property
    def start(self) -> int:
        """Id given to the models before the first word."""
        return len(self.words)

    @property
    def stop(self) -> int:
        """Id that ends a description."""
        return len(self.words) + 1

    @property
    def pad(self) -> int:
        """Id that fills the rows of a batch after their stop."""
        return len(self.words) + 2

    @property
    def unk(self) -> int:
        """Id of every word that is not in the vocabulary."""
        return len(self.words) + 3

    @property
    def size(self) -> int:
        """Number of ids, special ids included: the width of a model's output."""
        return len(self.words) + len(SPECIALS)

    def __len__(self) -> int:
        """Number of words, special ids not included."""
        return len(self.words)

    def index(self, words: Iterable[str]) -> list[int]:
        """The ids of `words` alone, without start and stop."""
        return [self.ids.get(word, self.unk) for word in words]

    def encode(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """Tokenized texts as int64 (N, longest + 2): start, words, stop, padding."""
        width = max((len(words) for words in texts), default=0) + 2
        ids = np.full((len(texts), width), self.pad, dtype=np.int64)
        for row, words in zip(ids, texts, strict=True):
            row[: len(words) + 2] = [self.start, *self.index(words), self.stop]
        return ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The words of one row of ids, up to the first stop, special ids dropped."""
        every, stop = self.words, self.stop
        count, words = len(every), list[str]()
        for index in ids:
            if index == stop:
                break
            if 0 <= index < count:
                words.append(every[index])
        return words


@dataclass(frozen=True)
class Tokenizer:
    """Text to ids and ids to text, for one vocabulary."""

    vocabulary: Vocabulary

    def encode(self, texts: str | Sequence[str]) -> np.ndarray:
        """One text as int64 (n,), or several as int64 (N, longest), start and stop included."""
        if isinstance(texts, str):
            return self.vocabulary.encode([tokenize(texts)])[0]
        return self.vocabulary.encode([tokenize(text) for text in texts])

    def decode(self, ids: Any) -> Any:
        """One row of ids as a text, or rows of ids (nested to any depth) as lists of texts."""
        rows = ids.tolist() if hasattr(ids, "tolist") else list(ids)
        flat = not rows or isinstance(rows[0], (int, np.integer))
        # An array without rows is still a batch: no texts, not one empty text.
        if getattr(ids, "ndim", 1 if flat else 2) > 1:
            return [self.decode(row) for row in rows]
        return reconstruct(self.vocabulary.decode(rows))
