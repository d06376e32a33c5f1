"""Agreement of descriptions with references, and their diversity.

BLEU and ROUGE are those of the published code (packages sacrebleu and rouge, both on texts that
were lower-cased and stripped of `.` and spaces). The package compares sets of words, so a repeated
word counts once; `rouge-l-sequence-f` is ROUGE-L of the words in their order (Lin 2004, section 3).
Half of the references have one or two words and most descriptions no 4-gram, so corpus BLEU stands
"as published", and `bleu-1-2`, over words and pairs of words, is what comparisons print.
Everything here is plain Python and NumPy.

    >>> bleu(["a red dog."], [["A red dog", "a dog"]])["bleu-1"]
    100.0
"""

from __future__ import annotations

import contextlib
import math
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from milan_core.core.numbers import added
from milan_core.scoring.words import tokens

SEQUENCE = "rouge-l-sequence-f"
ROUGE_METRICS = (
    *(f"rouge-{kind}-{stat}" for kind in ("1", "2", "l") for stat in ("r", "p", "f")),
    SEQUENCE,
)
_NO_OVERLAP = (0.0,) * len(ROUGE_METRICS)
BLEU_SHORT = "bleu-1-2"
BLEU_METRICS = ("bleu", "bleu-1", "bleu-2", "bleu-3", "bleu-4", BLEU_SHORT)


def normalize(text: str) -> str:
    """Lower-case, without the characters `.` and space at both ends.

    A letter and its accent are one character (NFC), however they were typed.
    """
    return unicodedata.normalize("NFC", text).lower().strip(". ")


def _check_lengths(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(predictions) != len(references):
        message = f"got {len(predictions)} predictions but {len(references)} lists of references"
        raise ValueError(message)
    without = sum(not list(texts) for texts in references)
    if without:
        message = f"{without} predictions have no reference"
        raise ValueError(message)


class BleuScorer:
    """Corpus BLEU (0-100, 13a tokenizer, exponential smoothing) against one set of references.

    `references` holds one list per prediction; all lists are cut to the shortest one's length. A
    corpus of texts shorter than four words has no 4-grams and scores 0: see `sentence_bleu`.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        from sacrebleu.metrics import BLEU

        self.references = references
        count = min((len(texts) for texts in references), default=0)
        streams = [[normalize(texts[i]) for texts in references] for i in range(count)]
        self._bleu = BLEU(references=streams) if count else None  # counts their n-grams once

    def score(self, predictions: Sequence[str]) -> dict[str, float]:
        """BLEU, its four n-gram precisions and BLEU-2; all NaN for no predictions."""
        _check_lengths(predictions, self.references)
        if self._bleu is None:
            return dict.fromkeys(BLEU_METRICS, math.nan)
        result = self._bleu.corpus_score([normalize(text) for text in predictions], None)
        short = result.bp * math.sqrt(result.precisions[0] * result.precisions[1])
        return dict(zip(BLEU_METRICS, [_mean(result), *result.precisions, short], strict=True))


def _mean(result: Any, effective: bool = False) -> float:
    """Geometric mean of the precisions times the penalty, as sacrebleu has it.

    The package adds the logarithms with `sum`, whose last digit depends on the version of Python.
    """
    if not any(result.counts):
        return 0.0
    orders = [p for p, total in zip(result.precisions, result.totals, strict=True) if total]
    precisions = orders if effective else result.precisions
    logs = [math.log(p) if p else -9999999999.0 for p in precisions]
    return float(result.bp * math.exp(added(logs) / len(logs)))


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Corpus BLEU of one set of predictions; see `BleuScorer`."""
    return BleuScorer(references).score(predictions)


def sentence_bleu(prediction: str, references: Sequence[str]) -> float:
    """BLEU of one short text (0-100) over the n-gram orders that it has.

    Unlike corpus BLEU it gives 100 for two equal two-word texts.
    """
    from sacrebleu.metrics import BLEU

    scorer = BLEU(effective_order=True)
    texts = [normalize(text) for text in references]
    return _mean(scorer.sentence_score(normalize(prediction), texts), effective=True)


@dataclass
class RougeScorer:
    """ROUGE-1/2/L recall, precision and F of (prediction, reference) pairs, each scored once.

    The published set form of the package, and ROUGE-L F of the words in their order.
    """

    _cache: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict, repr=False)
    _words: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def pair(self, prediction: str, reference: str) -> tuple[float, ...]:
        """The values of `ROUGE_METRICS` for one pair of normalized, non-empty texts."""
        key = (prediction, reference)
        if key not in self._cache:
            from rouge import Rouge

            if "." not in prediction + reference and not self._share_a_word(*key):
                return _NO_OVERLAP  # as the package has it, at a fiftieth of the time
            with _deep(len(prediction.split()) + len(reference.split())):
                scores = Rouge().get_scores(prediction, reference)[0]
            self._cache[key] = (
                *(
                    float(scores[f"rouge-{kind}"][stat])
                    for kind in ("1", "2", "l")
                    for stat in "rpf"
                ),
                sequence_f(prediction.split(), reference.split()),
            )
        return self._cache[key]

    def pairs(self, prediction: str, references: Sequence[str]) -> Iterator[tuple[float, ...]]:
        """`pair` of a text with each of its references; pairs with an empty text are skipped."""
        text = normalize(prediction)
        for reference in map(normalize, references):
            if text and reference:
                yield self.pair(text, reference)

    def _share_a_word(self, prediction: str, reference: str) -> bool:
        for text in (prediction, reference):
            if text not in self._words:
                self._words[text] = frozenset(text.split())
        return not self._words[prediction].isdisjoint(self._words[reference])

    def score(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]]
    ) -> dict[str, float]:
        """Mean over every (prediction, reference) pair; pairs with an empty text are skipped."""
        _check_lengths(predictions, references)
        sums, count = [0.0] * len(ROUGE_METRICS), 0
        for prediction, texts in zip(predictions, references, strict=True):
            for values in self.pairs(prediction, texts):
                sums = [a + b for a, b in zip(sums, values, strict=True)]
                count += 1
        return {
            name: total / count if count else math.nan
            for name, total in zip(ROUGE_METRICS, sums, strict=True)
        }


@contextlib.contextmanager
def _deep(words: int) -> Iterator[None]:
    """Room for the package's walk over two texts, which calls itself once a word."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1000 + 2 * words))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def sequence_f(prediction: Sequence[str], reference: Sequence[str]) -> float:
    """F of the longest common subsequence of two lists of words (ROUGE-L, Lin 2004, eq. 2 to 4).

    >>> round(sequence_f("pink birds and other birds".split(), "pink birds".split()), 3)
    0.571
    """
    row = [0] * (len(reference) + 1)
    for word in prediction:
        diagonal = 0
        for place, other in enumerate(reference, 1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    total = len(prediction) + len(reference)
    return 2 * row[-1] / total if total else 0.0


def rouge(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """ROUGE of one set of predictions; see `RougeScorer.score`."""
    return RougeScorer().score(predictions, references)


class WordInformation:
    """Information of a word in bits: -log2 of its frequency among the words of training captions.

    A word that no training caption has counts as a word that occurs once.
    """

    def __init__(self, captions: Iterable[str]):
        self.counts: Mapping[str, int] = Counter(w for text in captions for w in tokens(text))
        self.total = sum(self.counts.values())
        if not self.total:
            raise ValueError("word information needs at least one training caption with a word")

    def bits(self, word: str) -> float:
        """Information of one word, in bits."""
        return -math.log2(max(self.counts.get(word, 0), 1) / self.total)


def diversity(descriptions: Sequence[str], information: WordInformation) -> dict[str, float]:
    """The specificity of a set of descriptions.

    Returns `distinct` (different normalized descriptions), `distinct_share` (of all descriptions),
    `mean_words` (per description), `mean_information` (bits per word, mean over all words) and
    `vocabulary` (different words).
    """
    words = [word for text in descriptions for word in tokens(text)]
    distinct = len({normalize(text) for text in descriptions})
    bits = [information.bits(word) for word in words]
    return {
        "distinct": float(distinct),
        "distinct_share": distinct / len(descriptions) if descriptions else math.nan,
        "mean_words": len(words) / len(descriptions) if descriptions else math.nan,
        "mean_information": float(np.mean(bits)) if bits else math.nan,
        "vocabulary": float(len(set(words))),
    }
