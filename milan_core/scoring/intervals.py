"""Bootstrap intervals of BLEU and ROUGE, from the counts that each unit adds to the corpus."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from milan_core.scoring.metrics import BLEU_METRICS, ROUGE_METRICS, RougeScorer, normalize

_ORDERS = 4  # n-gram orders of BLEU


def bleu_parts(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Counts that each unit adds to corpus BLEU, int64 [n, 10].

    Matching n-grams of the four orders, all n-grams of the four orders, words of the text, words
    of the closest reference.
    """
    from sacrebleu.metrics import BLEU

    scorer = BLEU(effective_order=True)  # no warning on short texts; counts are the same
    count = min((len(texts) for texts in references), default=0)
    rows = []
    for prediction, texts in zip(predictions, references, strict=True):
        shared = [normalize(text) for text in texts[:count]]
        score = scorer.sentence_score(normalize(prediction), shared)
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.int64).reshape(len(rows), 2 * _ORDERS + 2)


def bleu_of(parts: np.ndarray) -> list[float]:
    """BLEU and its precisions (0-100) of summed parts, int64 [10]; NaN where there is no text."""
    from sacrebleu.metrics import BLEU

    *grams, system, reference = (int(value) for value in parts)
    if not system:
        return [math.nan] * len(BLEU_METRICS)
    counts, totals = grams[:_ORDERS], grams[_ORDERS:]
    result = BLEU.compute_bleu(counts, totals, system, reference, smooth_method="exp")
    return [result.score, *result.precisions]


def rouge_parts(
    scorer: RougeScorer, predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> np.ndarray:
    """Sums over the pairs of each unit and the number of pairs, float64 [n, 10]."""
    rows = []
    for prediction, texts in zip(predictions, references, strict=True):
        pairs = list(scorer.pairs(prediction, texts))
        sums = np.sum(pairs, axis=0) if pairs else np.zeros(len(ROUGE_METRICS))
        rows.append([*sums, len(pairs)])
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(ROUGE_METRICS) + 1)


def agreement_intervals(
    scorer: RougeScorer,
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    indices: np.ndarray,
    level: float,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of BLEU and ROUGE over resampled units.

    `indices` int [resamples, n] are the units of every resample. Too few texts give NaN.
    """
    summed = bleu_parts(predictions, references)[indices].sum(axis=1)
    bleu = np.array([bleu_of(parts) for parts in summed])
    rouge = rouge_parts(scorer, predictions, references)[indices].sum(axis=1)
    with np.errstate(invalid="ignore"):
        means = rouge[:, :-1] / rouge[:, -1:]
    ends = {}
    for names, values in ((BLEU_METRICS, bleu), (ROUGE_METRICS, means)):
        for name, column in zip(names, values.T, strict=True):
            ends[name] = _ends(column[~np.isnan(column)], level)
    return ends


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    if not len(values):
        return math.nan, math.nan
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
