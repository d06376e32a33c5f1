"""Annotations as training data: tokenized once, split by unit, indexed with the training words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.captioner.vocabulary import Vocabulary, tokenize
from milan_core.core.errors import UserError
from milan_core.core.seeding import generator


@dataclass(frozen=True)
class Pairs:
    """(unit, annotation) pairs; a unit with three annotations is in three pairs."""

    units: np.ndarray
    """int64 (P,) row of the feature array."""
    texts: list[list[int]]
    """[P] token ids from start to stop, of different lengths."""
    pad: int

    def __len__(self) -> int:
        """Number of pairs P."""
        return len(self.texts)

    def taken(self, rows: np.ndarray) -> Pairs:
        """The pairs in these rows."""
        return Pairs(self.units[rows], [self.texts[row] for row in rows], self.pad)

    def batches(
        self, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Units (n,) and token ids int64 (n, longest of them); shuffled where `rng` is given."""
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            tokens = np.full((len(rows), max(len(self.texts[i]) for i in rows)), self.pad)
            for row, index in zip(tokens, rows, strict=True):
                row[: len(self.texts[index])] = self.texts[index]
            yield self.units[rows], tokens


@dataclass(frozen=True)
class Corpus:
    """The annotations of a captioner's training units, split for early stopping."""

    vocabulary: Vocabulary
    """Words of the training texts; all others are unknown."""
    train: Pairs
    held_out: Pairs
    lm_train: Pairs
    """Training pairs of the language model: `train`, or a share of all pairs."""
    lm_held_out: Pairs
    held_out_units: np.ndarray
    """int64 [H] ascending."""
    references: list[list[str]]
    """[H] the annotations of every held-out unit."""


def build_corpus(
    annotations: Sequence[Sequence[str]], hold_out: float, seed: int, lm_hold_out: str = "unit"
) -> Corpus:
    """Tokenize, hold out whole units, and index with the vocabulary of the remaining ones.

    The published code held out single annotations for the language model, so it had seen other
    annotations of the units it stopped on, and words of all of them (specification 6.2, defect 3):
    `lm_hold_out="description"` does so.

    Raises:
        UserError: there are too few annotated units to hold any out.
    """
    words = [[w for w in map(tokenize, texts) if w] for texts in annotations]
    annotated = np.array([unit for unit, texts in enumerate(words) if texts], dtype=np.int64)
    count = int(hold_out * len(annotated))
    if not 0 < count < len(annotated):
        message = (
            f"{len(annotated)} of {len(words)} units have annotations, and holding out {hold_out} "
            f"of them keeps {count} to stop on; give more units or another captioner.hold_out"
        )
        raise UserError(message)
    order = generator(seed, "captioner", "hold-out").permutation(annotated)
    held_out, train = np.sort(order[:count]), np.sort(order[count:])
    by_description = lm_hold_out == "description"
    sources = np.sort(annotated) if by_description else train
    vocabulary = Vocabulary.from_tokens(text for unit in sources for text in words[unit])

    def pairs(units: np.ndarray) -> Pairs:
        """The pairs of `units`, in order."""
        rows = [(unit, text) for unit in units for text in words[unit]]
        ids = [[vocabulary.start, *vocabulary.index(text), vocabulary.stop] for _, text in rows]
        return Pairs(np.array([unit for unit, _ in rows], np.int64), ids, vocabulary.pad)

    references = [[text for text in annotations[unit] if tokenize(text)] for unit in held_out]
    sides = pairs(train), pairs(held_out)
    lm_sides = _description_sides(pairs(sources), hold_out, seed) if by_description else sides
    return Corpus(vocabulary, *sides, *lm_sides, held_out, references)


def _description_sides(pairs: Pairs, hold_out: float, seed: int) -> tuple[Pairs, Pairs]:
    """(training, held out): a random share of single pairs, whatever their units."""
    order = generator(seed, "language model", "hold-out").permutation(len(pairs))
    count = int(hold_out * len(pairs))  # at least as many as units are held out, hence not 0
    return pairs.taken(np.sort(order[count:])), pairs.taken(np.sort(order[:count]))
