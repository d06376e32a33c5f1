"""Metrics of descriptions of some units, as arrays over units and as rows with intervals.

Concept accuracy needs ground truth, agreement (BLEU, ROUGE, BERTScore) needs reference texts; a
metric that cannot be measured has no row. `low` and `high` are seeded bootstrap 95 % intervals over
units, drawn by concept where it is known. Layers and tiers of fewer than ten judged units have a
row with their number and no share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from milan_core.core.numbers import mean_or_nan
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.intervals import agreement_intervals
from milan_core.scoring.metrics import (
    BLEU_SHORT,
    SEQUENCE,
    BleuScorer,
    RougeScorer,
    WordInformation,
    diversity,
)
from milan_core.scoring.naming import FalseNames, separation
from milan_core.scoring.references import References, Training
from milan_core.scoring.tables import Score
from milan_core.scoring.verdicts import FEWEST

MAIN = "pmi"
"""The method that the others are compared with: the captioner's re-ranked descriptions."""
ACCURACY, BERT_F = "concept_accuracy", "bert_score-f"
FALSE_NAMES, BERT_AUC = "false_names", "bert_auc"
AGREEMENT = ("bleu", BLEU_SHORT, "rouge-l-f", SEQUENCE, BERT_F)
DIVERSITY = ("distinct", "distinct_share", "mean_words", "mean_information", "vocabulary")
LEAD = ":lead-of-pmi"
_BERT = ("bert_score-p", "bert_score-r", BERT_F)

ReferenceTexts = Sequence[Sequence[str]]


@dataclass
class Measured:
    """Metrics of one method: of the corpus, and per unit float64 [units] (NaN: not judged)."""

    corpus: dict[str, float] = field(default_factory=dict)
    units: dict[str, np.ndarray] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """Every metric as one number; means over the judged units."""
        return self.corpus | {
            name: mean_or_nan(values[~np.isnan(values)]) for name, values in self.units.items()
        }


class Scorer:
    """Measures descriptions of the units of `references`; each pair of texts is compared once.

    `training` gives the frequencies of words. Every list of descriptions is scored on the same
    units with the same references and the same BERTScore weights.
    """

    def __init__(
        self,
        references: References,
        training: Training,
        bootstrap: Bootstrap,
        bert: BertScorer | None = None,
    ) -> None:
        self.references, self.training, self.bootstrap = references, training, bootstrap
        self.bert = bert if references.texts else None
        self._information = WordInformation(training.captions)
        self._rouge = RougeScorer()
        self._bleu = BleuScorer(references.texts)
        self._false_names = FalseNames([*training.truth, *references.truth])
        self.clusters = references.clusters
        self._documents = [text for texts in references.texts for text in texts]

    def measure(
        self, rounds: Sequence[Sequence[str]], references: Sequence[ReferenceTexts] | None = None
    ) -> Measured:
        """Mean over `rounds`, each one description per unit, of every metric.

        `references` gives other reference texts per round (default: those of the units).
        """
        given = references or [self.references.texts] * len(rounds)
        corpus = [
            self._agreement(texts, refs) | diversity(texts, self._information)
            for texts, refs in zip(rounds, given, strict=True)
        ]
        measured = Measured({name: float(np.mean([c[name] for c in corpus])) for name in corpus[0]})
        if self.references.truth:
            correct = np.array([self.correct(texts) for texts in rounds])
            measured.units[ACCURACY] = correct.mean(axis=0)
            measured.units[FALSE_NAMES] = np.mean([self.false_names(t) for t in rounds], axis=0)
        if self.bert is not None:
            flat = [text for texts in rounds for text in texts]
            flat_references = [refs for group in given for refs in group]
            values = self.bert.score(flat, flat_references, idf_from=self._documents)
            values = values.reshape(len(rounds), len(self.references.units), 3)
            per_unit = values.mean(axis=0)
            if self.references.truth:
                measured.corpus[BERT_AUC] = separation(values[..., 2], correct)
            measured.units |= dict(zip(_BERT, per_unit.T, strict=True))
        return measured

    def _agreement(self, texts: Sequence[str], references: ReferenceTexts) -> dict[str, float]:
        if not references:
            return {}
        shared = references is self.references.texts
        bleu = self._bleu if shared else BleuScorer(references)
        return bleu.score(texts) | self._rouge.score(texts, references)

    def correct(self, texts: Sequence[str]) -> np.ndarray:
        """1 where a description names the unit's concept, 0 where not, NaN for unspecific units.

        float64 [units]; empty without ground truth.
        """
        if not self.references.truth:
            return np.empty(0)
        return np.array(
            [
                float(truth.named_by(text)) if truth.specific else math.nan
                for text, truth in zip(texts, self.references.truth, strict=True)
            ]
        )

    def false_names(self, texts: Sequence[str]) -> np.ndarray:
        """Wrong concepts that each description names, NaN for unspecific units: float64 [units]."""
        return self._false_names.counts(texts, self.references.truth)

    def rows(self, method: str, measured: Measured) -> list[Score]:
        """All metrics of one method, the main ones per layer and per tier of concepts as well."""
        count = len(self.references.units)
        rows = [Score(method, metric, value, n=count) for metric, value in measured.corpus.items()]
        for metric, values in measured.units.items():
            rows.append(self._mean_row(method, metric, values))
        layers = self.references.layers
        groups = [
            (ACCURACY, "tier", [truth.tier for truth in self.references.truth]),
            (ACCURACY, "layer", layers),
            (BERT_F, "layer", layers),
        ]
        for metric, kind, labels in groups:
            for label in dict.fromkeys(labels) if metric in measured.units else ():
                inside = np.array([other == label for other in labels])
                values = np.where(inside, measured.units[metric], math.nan)
                count = int((~np.isnan(values)).sum())
                name = f"{metric}:{kind}={label}"
                if count >= FEWEST:
                    rows.append(self._mean_row(method, name, values))
                elif count:
                    rows.append(Score(method, name, math.nan, n=count))
        return rows

    def _mean_row(self, method: str, metric: str, values: np.ndarray) -> Score:
        kept = ~np.isnan(values)
        if not kept.any():
            return Score(method, metric, math.nan)
        low, high = math.nan, math.nan
        if method == MAIN or ":" not in metric:  # no table shows those of other methods by layer
            low, high = self.bootstrap.interval(values, metric, clusters=self.clusters)
        mean, clusters = float(values[kept].mean()), len(np.unique(self.clusters[kept]))
        return Score(method, metric, mean, low, high, int(kept.sum()), clusters)

    def with_intervals(self, rows: Sequence[Score], texts: Sequence[str]) -> list[Score]:
        """The rows of `texts`, those of BLEU and ROUGE with intervals as well."""
        references = self.references.texts
        if len(texts) < 2 or not references:
            return list(rows)
        ends = agreement_intervals(self._rouge, texts, references, self.bootstrap, self.clusters)
        return [
            replace(row, low=ends[row.metric][0], high=ends[row.metric][1])
            if row.metric in ends
            else row
            for row in rows
        ]

    def lead_rows(self, method: str, ours: Measured, theirs: Measured) -> list[Score]:
        """Paired differences of `pmi` and `method` over the same units, with intervals and p."""
        rows = []
        metrics = (ACCURACY,) if method == "annotators" else (ACCURACY, BERT_F)
        for metric in metrics:
            if metric in ours.units and metric in theirs.units:
                left, right = ours.units[metric], theirs.units[metric]
                by = self.clusters
                value, low, high = self.bootstrap.paired(left, right, metric, clusters=by)
                p = self.bootstrap.p_value(left, right, metric, clusters=by)
                both = ~np.isnan(left - right)
                count, clusters = int(both.sum()), len(np.unique(by[both]))
                name = f"{metric}{LEAD}"
                rows.append(Score(method, name, value, low, high, count, clusters, p))
        return rows
