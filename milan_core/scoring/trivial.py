"""Trivial baselines: descriptions made without looking at the unit.

Constant texts beat published systems on several text scores, so constants, the most frequent
caption and shuffled predictions are reported beside every result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from milan_core.core.seeding import generator
from milan_core.scoring.metrics import normalize
from milan_core.scoring.references import References
from milan_core.scoring.tables import Truth
from milan_core.scoring.words import names_concept, tokens

ROWS = 256  # texts that are compared with all others at once


def most_frequent(captions: Sequence[str]) -> str:
    """The most frequent training caption (normalized texts are equal; ties: alphabetical)."""
    counts = Counter(text for text in map(normalize, captions) if text)
    if not counts:
        raise ValueError("most_frequent needs at least one non-empty training caption")
    return min(counts, key=lambda text: (-counts[text], text))


def _shared_words(texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of `ROWS` texts after the other: numbers of words, and of words shared with each text.

    Float32 [rows], and float32 [rows, texts].
    """
    split = [frozenset(tokens(text)) for text in texts]
    holding: dict[str, list[int]] = defaultdict(list)  # texts by the words that they hold
    for place, words in enumerate(split):
        for word in words:
            holding[word].append(place)
    where = {word: np.array(places) for word, places in holding.items()}
    for start in range(0, len(split), ROWS):
        part = split[start : start + ROWS]
        overlap = np.zeros((len(part), len(split)), np.float32)
        for row, words in zip(overlap, part, strict=True):
            for word in words:
                row[where[word]] += 1
        yield np.array([len(words) for words in part], np.float32), overlap


def agreement_constant(captions: Sequence[str]) -> str:
    """The training caption with the highest mean ROUGE-1 F against all training captions.

    Ties: alphabetical. Memory grows with the number of captions and not with its square: the
    published sets have some 60,000.
    """
    counts = Counter(text for text in map(normalize, captions) if tokens(text))
    if not counts:
        raise ValueError("agreement_constant needs at least one training caption with a word")
    texts = sorted(counts)
    lengths = np.array([len(set(tokens(text))) for text in texts], np.float32)
    weights = np.array([counts[text] for text in texts], dtype=np.float64)
    sums = [
        (2 * overlap / (own[:, None] + lengths[None, :])).astype(np.float64) @ weights
        for own, overlap in _shared_words(texts)
    ]
    return texts[int(np.argmax(np.concatenate(sums)))]


def accuracy_constant(captions: Sequence[str], truth: Sequence[Truth]) -> str:
    """The training caption that names the concept of most specific training units.

    The strongest fixed guess for concept accuracy. Ties: more frequent, then alphabetical.
    """
    counts = Counter(text for text in map(normalize, captions) if text)
    accepts = Counter(entry.accept for entry in truth if entry.specific)
    if not counts or not accepts:
        raise ValueError("accuracy_constant needs training captions and specific training units")
    probes = [(Truth("", "", 0.0, 0, True, accept), times) for accept, times in accepts.items()]

    def hits(text: str) -> int:
        return sum(times for probe, times in probes if probe.named_by(text))

    return min(counts, key=lambda text: (-hits(text), -counts[text], text))


def oracle_constant(truth: Sequence[Truth]) -> str:
    """The accepted name that is right for most specific units of `truth`; ties: alphabetical.

    Chosen on the very units it is scored on: what one fixed word could reach at best.
    """
    accepts = Counter(entry.accept for entry in truth if entry.specific)
    words = sorted({word for accept in accepts for word in accept})
    if not words:
        raise ValueError("oracle_constant needs a specific unit with an accepted name")

    def hits(text: str) -> int:
        return sum(times for accept, times in accepts.items() if names_concept(text, accept))

    return min(words, key=lambda text: (-hits(text), text))


def permutations(layers: Sequence[str], seed: int, count: int = 20) -> np.ndarray:
    """Random permutations of the units within each layer: int64 [count, units].

    Descriptions stay in their layer and keep what is typical of it: the harder baseline.
    """
    random = generator(seed, "shuffled_prediction", len(layers))
    names = np.array(layers)
    orders = np.tile(np.arange(len(layers)), (count, 1))
    for order in orders:
        for name in dict.fromkeys(layers):
            rows = np.flatnonzero(names == name)
            order[rows] = random.permutation(rows)
    return orders


def annotator_rounds(references: References) -> list[tuple[list[str], list[tuple[str, ...]]]]:
    """Each annotator as the predictor: (their texts, the other annotators' texts), in unit order.

    Uses as many annotators as every unit has; fewer than two give no round.
    """
    count = min((len(texts) for texts in references.texts), default=0)
    if count < 2:
        return []
    return [
        (
            [texts[annotator] for texts in references.texts],
            [texts[:annotator] + texts[annotator + 1 : count] for texts in references.texts],
        )
        for annotator in range(count)
    ]
