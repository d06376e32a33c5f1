"""Scores of one table of descriptions with the trivial baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from milan_core.core.units import UnitKey
from milan_core.scoring import trivial
from milan_core.scoring.scorer import MAIN, ReferenceTexts, Scorer
from milan_core.scoring.tables import Score

ORACLE = "constant_oracle"
FEWER = "pmi_two_references"
"""The descriptions against all annotators but one, as `annotators` are scored."""


@dataclass(frozen=True)
class Baseline:
    """Descriptions of a method: rounds of one text per unit, and other references per round."""

    rounds: list[list[str]]
    references: list[ReferenceTexts] | None = None


def score_beside(
    predictions: Mapping[UnitKey, str],
    scorer: Scorer,
    others: Mapping[str, Mapping[UnitKey, str]] | None = None,
) -> list[Score]:
    """All rows of a table of descriptions, which stand as method `pmi`.

    `others` are further descriptions of the same units by method (`greedy`, `shuffled_masks`,
    `whole_image`, `prior_only`). Besides these, `constant` (the training caption that agrees best
    with the training captions), `constant_concept` (the one that names most training units'
    concepts), `most_frequent`, `constant_oracle` (the fixed name that is right most often on the
    tested units themselves: no captioner could know it), `shuffled_prediction` (mean of 20
    permutations) and `annotators` (each annotator against the others) are made here. Annotators are
    no ceiling: programs that draw synonyms disagree, and a captioner that says the likeliest one
    agrees with more of them. BLEU and ROUGE have
    intervals for `pmi` alone.

    Raises:
        UserError: a table holds other units than the references.

    """
    references = scorer.references
    texts = references.ordered(predictions, "the descriptions")
    baselines = {
        name: Baseline([references.ordered(table, f"the {name} descriptions")])
        for name, table in (others or {}).items()
    } | trivial_baselines(texts, scorer)
    ours = scorer.measure([texts])
    rows = scorer.with_intervals(scorer.rows(MAIN, ours), texts)
    for method, baseline in baselines.items():
        theirs = scorer.measure(baseline.rounds, baseline.references)
        rows += scorer.rows(method, theirs)
        if method != FEWER:
            rows += scorer.lead_rows(method, ours, theirs)
    return rows


def trivial_baselines(texts: list[str], scorer: Scorer) -> dict[str, Baseline]:
    """The baselines that need no decoding, by method."""
    references, training = scorer.references, scorer.training
    constants = {
        "constant": trivial.agreement_constant(training.captions),
        "most_frequent": trivial.most_frequent(training.captions),
    }
    if any(truth.specific for truth in training.truth):
        constants["constant_concept"] = trivial.accuracy_constant(training.captions, training.truth)
    if any(truth.specific for truth in references.truth):
        constants[ORACLE] = trivial.oracle_constant(references.truth)
    baselines = {
        name: Baseline([[text] * len(references.units)]) for name, text in constants.items()
    }
    orders = trivial.permutations(references.layers, scorer.bootstrap.seed)
    baselines["shuffled_prediction"] = Baseline([[texts[i] for i in order] for order in orders])
    rounds = trivial.annotator_rounds(references)
    if rounds:
        # The same number of references on both sides: a best match among three is higher than
        # among two.
        fewer: list[ReferenceTexts] = [others for _, others in rounds]
        baselines[FEWER] = Baseline([texts for _ in rounds], fewer)
        baselines["annotators"] = Baseline([predicted for predicted, _ in rounds], fewer)
    return baselines
