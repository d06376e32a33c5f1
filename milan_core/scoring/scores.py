"""Scores of one split: descriptions against annotations and, where they are known, concepts.

    rows = score_split(predictions, material, training, bert=BertScorer(folder))
    write_scores(path, rows)

Every baseline is scored on the same units with the same references and the same BERTScore weights.
Rows are (method, metric, value, low, high, n); the described method is `pmi`. `low` and `high` are
seeded bootstrap 95 % intervals over units; of BLEU and ROUGE for the described method alone. What
cannot be measured has no row: concept accuracy without truth, agreement without references.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import numpy as np

from milan_core.core.files import read_csv, write_csv
from milan_core.scoring import constants as baselines
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import BleuScorer, RougeScorer, WordInformation, diversity
from milan_core.scoring.resampled import intervals
from milan_core.scoring.units import Material, Truth, UnitKey

COLUMNS = ("method", "metric", "value", "low", "high", "n")
MAIN = "pmi"
FEWER = "pmi_two_references"
ACCURACY, BERT_F = "concept_accuracy", "bert_score-f"
_BERT = ("bert_score-p", "bert_score-r", BERT_F)

References = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Score:
    """One figure: `n` is the number of units it is a mean over."""

    method: str
    metric: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0


@dataclass(frozen=True)
class Training:
    """The training side of a split: its captions and, for the strongest constant, its truth."""

    captions: Sequence[str]
    truth: Sequence[Truth] = ()


@dataclass
class Measured:
    """Figures of one method: corpus values, and arrays of one value per unit (NaN: not judged)."""

    corpus: dict[str, float] = field(default_factory=dict)
    units: dict[str, np.ndarray] = field(default_factory=dict)


class Scorer:
    """Measures lists of descriptions of one `Material`; pairs of texts are compared only once."""

    def __init__(
        self, material: Material, information: WordInformation, bert: BertScorer | None = None
    ) -> None:
        self.material, self.information = material, information
        self.bert = bert if material.references else None
        self._rouge = RougeScorer()
        self._bleu = BleuScorer(material.references)
        self._documents = [text for texts in material.references for text in texts]

    def measure(
        self, rounds: Sequence[Sequence[str]], references: Sequence[References] | None = None
    ) -> Measured:
        """Mean over `rounds`, each one description per unit, of every figure.

        `references` gives other references per round (default: the material's own).
        """
        given = references or [self.material.references] * len(rounds)
        corpus = [
            self._agreement(texts, refs) | diversity(texts, self.information)
            for texts, refs in zip(rounds, given, strict=True)
        ]
        found = Measured({name: float(np.mean([c[name] for c in corpus])) for name in corpus[0]})
        if self.material.truth:
            found.units[ACCURACY] = np.mean([self.correct(texts) for texts in rounds], axis=0)
        if self.bert is not None:
            flat = [text for texts in rounds for text in texts]
            flat_references = [refs for group in given for refs in group]
            values = self.bert.score(flat, flat_references, idf_from=self._documents)
            per_unit = values.reshape(len(rounds), len(self.material.units), 3).mean(axis=0)
            found.units |= dict(zip(_BERT, per_unit.T, strict=True))
        return found

    def _agreement(self, texts: Sequence[str], references: References) -> dict[str, float]:
        if not references:
            return {}
        own = references is self.material.references
        bleu = self._bleu if own else BleuScorer(references)
        return bleu.score(texts) | self._rouge.score(texts, references)

    def with_intervals(
        self, rows: Sequence[Score], texts: Sequence[str], bootstrap: Bootstrap
    ) -> list[Score]:
        """Rows of `texts` with intervals for BLEU and ROUGE as well: over units, as all are."""
        references = self.material.references
        if len(texts) < 2 or not references:
            return list(rows)
        lots = bootstrap.lots(len(texts), "agreement")
        found = intervals(self._rouge, texts, references, lots, bootstrap.level)
        return [
            replace(row, low=ends[0], high=ends[1]) if (ends := found.get(row.metric)) else row
            for row in rows
        ]

    def correct(self, texts: Sequence[str]) -> np.ndarray:
        """1 where a description names the unit's concept, 0 where not, NaN for unspecific units.

        Empty where no truth is known.
        """
        if not self.material.truth:
            return np.empty(0)
        return np.array(
            [
                float(truth.named_by(text)) if truth.specific else math.nan
                for text, truth in zip(texts, self.material.truth, strict=True)
            ]
        )


def _mean_row(method: str, metric: str, values: np.ndarray, bootstrap: Bootstrap) -> Score:
    kept = values[~np.isnan(values)]
    if not len(kept):
        return Score(method, metric, math.nan)
    low, high = bootstrap.interval(kept, metric)
    return Score(method, metric, float(kept.mean()), low, high, len(kept))


def method_rows(
    method: str, measured: Measured, material: Material, bootstrap: Bootstrap
) -> list[Score]:
    """All figures of one method, its main ones per layer too, and per tier of concepts."""
    count = len(material.units)
    rows = [Score(method, metric, value, n=count) for metric, value in measured.corpus.items()]
    for metric, values in measured.units.items():
        rows.append(_mean_row(method, metric, values, bootstrap))
    layers = [layer for layer, _ in material.units]
    groups = [
        (ACCURACY, "tier", [truth.tier for truth in material.truth]),
        (ACCURACY, "layer", layers),
        (BERT_F, "layer", layers),
    ]
    for metric, kind, labels in groups:
        for label in dict.fromkeys(labels) if metric in measured.units else ():
            values = measured.units[metric][np.array([other == label for other in labels])]
            if not np.isnan(values).all():
                rows.append(_mean_row(method, f"{metric}:{kind}={label}", values, bootstrap))
    return rows


def lead_rows(method: str, ours: Measured, theirs: Measured, bootstrap: Bootstrap) -> list[Score]:
    """How far `pmi` is ahead of `method` on the same units: paired differences with intervals."""
    rows = []
    metrics = (ACCURACY,) if method == "annotators" else (ACCURACY, BERT_F)
    for metric in metrics:
        if metric in ours.units and metric in theirs.units:
            left, right = ours.units[metric], theirs.units[metric]
            value, low, high = bootstrap.paired(left, right, metric)
            count = int((~np.isnan(left - right)).sum())
            rows.append(Score(method, f"{metric}:lead-of-pmi", value, low, high, count))
    return rows


def _rounds(
    texts: list[str], material: Material, training: Training, seed: int
) -> dict[str, tuple[list[list[str]], list[References] | None]]:
    """The descriptions of every baseline that needs no decoding: method to (rounds, references)."""
    count = len(material.units)
    constants = {
        "constant": baselines.agreement_constant(training.captions),
        "most_frequent": baselines.most_frequent(training.captions),
    }
    if any(truth.specific for truth in training.truth):
        constants["constant_concept"] = baselines.accuracy_constant(
            training.captions, training.truth
        )
    found: dict[str, tuple[list[list[str]], list[References] | None]] = {
        name: ([[text] * count], None) for name, text in constants.items()
    }
    orders = baselines.permutations([layer for layer, _ in material.units], seed)
    found["shuffled_prediction"] = ([[texts[i] for i in order] for order in orders], None)
    rounds = baselines.annotator_rounds(material)
    if rounds:
        # The same number of references on both sides: a best match among three is higher than
        # among two.
        found[FEWER] = ([texts for _ in rounds], [others for _, others in rounds])
        found["annotators"] = ([said for said, _ in rounds], [others for _, others in rounds])
    return found


def score_split(
    predictions: Mapping[UnitKey, str],
    material: Material,
    training: Training,
    *,
    others: Mapping[str, Mapping[UnitKey, str]] | None = None,
    bert: BertScorer | None = None,
    bootstrap: Bootstrap | None = None,
) -> list[Score]:
    """All rows of one split.

    `others` are further description tables of the same units by method name (`greedy`,
    `shuffled_masks`, `whole_image`, `prior_only`). Besides these, `constant` (the training caption
    that agrees best with the training captions), `constant_concept` (the one that names most
    training units' concepts), `most_frequent`, `shuffled_prediction` (mean of 20 permutations) and
    `annotators` (each annotator against the others: the ceiling of agreement) are made here.
    Refuses tables of other units with a `UserError`.
    """
    bootstrap = bootstrap or Bootstrap()
    texts = material.texts(predictions, "the descriptions")
    scorer = Scorer(material, WordInformation(training.captions), bert)
    tasks = {
        name: ([material.texts(table, f"the {name} descriptions")], None)
        for name, table in (others or {}).items()
    } | _rounds(texts, material, training, bootstrap.seed)
    ours = scorer.measure([texts])
    rows = scorer.with_intervals(method_rows(MAIN, ours, material, bootstrap), texts, bootstrap)
    for method, (rounds, references) in tasks.items():
        theirs = scorer.measure(rounds, references)
        rows += method_rows(method, theirs, material, bootstrap)
        if method != FEWER:
            rows += lead_rows(method, ours, theirs, bootstrap)
    return rows


def cell(value: float) -> float | str:
    """A number as a table cell; NaN is an empty cell."""
    return "" if isinstance(value, float) and math.isnan(value) else value


def number(text: str) -> float:
    """A table cell as a number; an empty cell is NaN."""
    return float(text) if text else math.nan


def write_scores(path: Path | str, rows: Sequence[Score]) -> None:
    """Write rows as CSV with the columns of `COLUMNS`."""
    write_csv(path, COLUMNS, [[cell(value) for value in astuple(row)] for row in rows])


def read_scores(path: Path | str) -> list[Score]:
    """Read rows written by `write_scores`."""
    return [
        Score(
            row["method"],
            row["metric"],
            number(row["value"]),
            number(row["low"]),
            number(row["high"]),
            int(row["n"]),
        )
        for row in read_csv(path, COLUMNS)
    ]
