"""Bootstrap intervals of BLEU and ROUGE, from the counts that each unit adds to the corpus."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from milan_core.scoring.bootstrap import Bootstrap
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


def bleu_of(parts: np.ndarray) -> np.ndarray:
    """BLEU, its precisions and BLEU-2 (0-100) of summed parts int64 [n, 10]: float64 [n, 6].

    As sacrebleu computes corpus BLEU with exponential smoothing: each order without a match counts
    as 1 / 2^k matches for the k-th such order; orders without an n-gram make it 0. NaN where there
    is no text.
    """
    counts, totals = parts[:, :_ORDERS].astype(float), parts[:, _ORDERS : 2 * _ORDERS].astype(float)
    system, reference = (parts[:, column].astype(float) for column in (-2, -1))
    empty = (counts == 0) & (totals > 0)
    smoothed = np.where(empty, 0.5 ** np.cumsum(empty, axis=1), counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.where(totals > 0, 100 * smoothed / totals, 0.0)
        precisions[~counts.any(axis=1)] = 0.0
        brevity = np.where(system < reference, np.exp(1 - reference / system), 1.0)
        score = brevity * np.exp(np.log(precisions).mean(axis=1))
    short = brevity * np.sqrt(precisions[:, 0] * precisions[:, 1])
    values = np.column_stack([score, precisions, short])
    values[system == 0] = math.nan
    return values


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
    bootstrap: Bootstrap,
    clusters: np.ndarray,
) -> dict[str, tuple[float, float]]:
    """Intervals of BLEU and ROUGE over resampled clusters of units, int [n]; NaN of too few."""
    _, place = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(place).astype(float)
    indices = bootstrap.indices(len(sizes), "agreement")
    parts = _by_cluster(bleu_parts(predictions, references), place, len(sizes))
    bleu = bleu_of(np.stack([column[indices].sum(axis=1) for column in parts.T], axis=1))
    parts = _by_cluster(rouge_parts(scorer, predictions, references), place, len(sizes))
    rouge = np.stack([column[indices].sum(axis=1) for column in parts.T], axis=1)
    with np.errstate(invalid="ignore"):
        means = rouge[:, :-1] / rouge[:, -1:]
    ends = {}
    for names, values in ((BLEU_METRICS, bleu), (ROUGE_METRICS, means)):
        for name, column in zip(names, values.T, strict=True):
            kept = column[~np.isnan(column)]
            few = len(sizes) < 2 or not len(kept)
            ends[name] = (math.nan, math.nan) if few else bootstrap.ends(kept, sizes)
    return ends


def _by_cluster(parts: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    """Sums of rows by cluster: [clusters, columns]."""
    summed = np.zeros((count, parts.shape[1]), parts.dtype)
    np.add.at(summed, place, parts)
    return summed
