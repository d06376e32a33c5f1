"""Sentences that follow from the numbers of a run; no conclusion is written down in advance.

Every function takes figures and returns plain sentences. "Clearly" is that of `scoring.verdicts`:
p, adjusted by Holm over the networks or splits that one kind of sentence is about, is below 0.05.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from milan_core.core.numbers import number, percent, plainly, points, signed
from milan_core.experiments.controls.tables import Figure, Table
from milan_core.experiments.generalization.options import HELD_OUT, MATCHED, EncoderFacts
from milan_core.scoring.beside import FEWER, ORACLE
from milan_core.scoring.scorer import ACCURACY, BERT_AUC, BERT_F, LEAD, MAIN
from milan_core.scoring.verdicts import FEWEST, Difference, holm, p_text, part_of, power_text

NO_EVIDENCE = {  # baselines that lack the unit's evidence, and their names in sentences
    "constant": "constant: agrees best in training",
    "constant_concept": "constant: most often right in training",
    "most_frequent": "constant: most frequent annotation",
    "prior_only": "p(d) alone: one text for all units",
    "shuffled_prediction": "descriptions dealt to other units",
    "shuffled_masks": "same captioner, masks of other images",
}
ORACLE_TEXT = "the best fixed word, chosen on these very units"


GAIN = ("accuracy_gain", "gain_low", "gain_high", "gain_p")


@dataclass(frozen=True)
class Trained:
    """State the training data of the captioners that are scored."""

    held_out: bool
    encoder: EncoderFacts = field(default_factory=EncoderFacts)

    def captioner(self, model: str) -> str:
        """The captioner that describes `model`, in a sentence."""
        if not self.held_out:
            return "a captioner that learned from other units of this network"
        if model == self.encoder.name:
            return "a captioner that learned from no unit of this network and reads its features"
        if model in self.encoder.students:
            return "a captioner that reads the features which this network was taught"
        return "a captioner that never saw this network"


def share(figure: Figure) -> str:
    """A share with its interval; a count of fewer than ten units."""
    if math.isnan(figure.low) or 0 < figure.n < FEWEST:
        return part_of(figure.value, figure.n)
    return f"{percent(figure.value)} [{100 * figure.low:.0f}–{100 * figure.high:.0f}]"


def differences(figures: Mapping[str, Figure]) -> dict[str, Difference]:
    """The differences of one family of tests, their p adjusted."""
    adjusted = holm([figure.p for figure in figures.values()])
    return {
        name: Difference(figure.value, figure.low, figure.high, figure.p, p)
        for (name, figure), p in zip(figures.items(), adjusted, strict=True)
    }


def accuracy_sentences(models: Sequence[str], table: Table, trained: Trained) -> list[str]:
    """Compare the share of right concepts with the best baseline that lacks evidence."""
    judged = [model for model in models if table.get(model, MAIN, ACCURACY).exists]
    best = {
        model: max(rivals, key=lambda name: table.get(model, name, ACCURACY).value)
        for model in judged
        if (rivals := [name for name in NO_EVIDENCE if table.get(model, name, ACCURACY).exists])
    }
    leads = differences(
        {model: table.get(model, name, ACCURACY + LEAD) for model, name in best.items()}
    )
    texts = []
    for model in judged:
        ours = table.get(model, MAIN, ACCURACY)
        text = (
            f"{model}: {share(ours)} of {ours.n} units with a specific concept get a description "
            f"that names it, from {trained.captioner(model)}."
        )
        if model in best:
            text += _rival(model, best[model], table, leads[model])
        texts.append(text + _oracle(model, table))
    return texts


def _rival(model: str, best: str, table: Table, lead: Difference) -> str:
    theirs = table.get(model, best, ACCURACY)
    verdict = {
        1: "which is clearly below",
        -1: "which is clearly above the descriptions: they fail this test",
        0: "too close to tell apart from the descriptions on these units",
    }[lead.side]
    gap = f" (difference {points(lead.value)})" if not math.isnan(lead.value) else ""
    power = power_text([lead])
    kind = (
        "The best control, the same captioner on the unit's own images under the masks of other "
        "units,"
        if best == "shuffled_masks"
        else f"The best control that never sees the unit, “{NO_EVIDENCE[best]}”,"
    )
    reached = part_of(theirs.value, theirs.n)
    return f" {kind} reaches {reached}, {verdict}{gap}{'; ' * bool(power)}{power}."


def _oracle(model: str, table: Table) -> str:
    oracle = table.get(model, ORACLE, ACCURACY)
    reached = part_of(oracle.value, oracle.n)
    return f" For scale: {ORACLE_TEXT}, reaches {reached}." if oracle.exists else ""


def mask_sentence(models: Sequence[str], table: Table) -> str | None:
    """State what the same captioner names of whole images, which it was never trained on."""
    parts = [
        f"{model} {part_of(figure.value, figure.n)}"
        for model in models
        if (figure := table.get(model, "whole_image", ACCURACY)).exists
    ]
    if not parts:
        return None
    return (
        f"The same captioners name from whole images: {', '.join(parts)}. They were never trained "
        "on whole images, so this is no evidence that masks matter: that would take a captioner "
        "trained without masks, which this run has not (generalization.controls)."
    )


def _by_side(leads: Mapping[str, Difference]) -> dict[int, list[str]]:
    groups: dict[int, list[str]] = {1: [], 0: [], -1: []}
    for name, lead in leads.items():
        groups[lead.side].append(name)
    return groups


Sweep = Sequence[Mapping[str, float]]


def lambda_sentences(sweeps: Mapping[str, Sweep], chosen: float) -> list[str]:
    """Compare the weight of p(d) with plain p(d|E) on the same beams, by split."""
    gains = {}
    for split, rows in sweeps.items():
        at = {row["lambda"]: row for row in rows}
        if chosen in at and 0.0 in at and not math.isnan(at[chosen][ACCURACY]):
            ends = (at[chosen].get(name, math.nan) for name in GAIN)
            value, low, high, p = ends
            gains[split] = Figure(value, low, high, p=p)
    tested = differences(gains)
    return [_lambda(split, sweeps[split], chosen, gain) for split, gain in tested.items()]


def _lambda(split: str, rows: Sweep, chosen: float, gain: Difference) -> str:
    at = {row["lambda"]: row for row in rows}
    plain, ours = at[0.0], at[chosen]
    verdict = {1: "a clear gain", -1: "a clear loss", 0: "no clear change"}[gain.side]
    if power := power_text([gain]):
        verdict += f", {power}"
    best = max(rows, key=lambda row: (row[ACCURACY], row is ours))  # of equal ones the run's own
    text = (
        f"{split}: with λ = {chosen:g} instead of 0 the accuracy goes from "
        f"{percent(plain[ACCURACY])} to {percent(ours[ACCURACY])} ({verdict}), distinct "
        f"descriptions from {plain['distinct']:.0f} to {ours['distinct']:.0f}, information from "
        f"{plainly(plain['mean_information'])} to {plainly(ours['mean_information'])} bits per word"
    )
    if best["lambda"] == chosen:
        return f"{text}; no other λ tried is more accurate."
    return (
        f"{text}; the most accurate λ tried is {best['lambda']:g} ({percent(best[ACCURACY])} on "
        "the units that it is chosen on, which is too good on average)."
    )


def bert_sentence(models: Sequence[str], table: Table) -> str | None:
    """Whether BERTScore tells the descriptions from constant texts."""
    weakest: dict[str, Figure] = {}
    for model in models:
        leads = [
            lead
            for name in ("constant", "most_frequent", "prior_only")
            if (lead := table.get(model, name, BERT_F + LEAD)).exists
        ]
        if leads:
            weakest[model] = min(leads, key=lambda lead: lead.value)
    if not weakest:
        return None
    worst = differences(weakest)
    parts = _by_side(worst)
    power = power_text(list(worst.values()), 1, "of BERTScore F")
    weak = ", ".join(f"{name} ({signed(worst[name].value)})" for name in parts[0] + parts[-1])
    text = (
        "BERTScore F of the descriptions is clearly above that of every constant text on every "
        "network, which says little."
        if not weak
        else "BERTScore F does not separate the descriptions from the best constant text on "
        f"{weak}{'; ' * bool(power)}{power}; read it together with the accuracy."
    )
    powers = [
        f"{model} {figure.value:.2f}"
        for model in models
        if (figure := table.get(model, MAIN, BERT_AUC)).exists
    ]
    if powers:
        text += (
            " How well it tells right descriptions from wrong ones (AUC, chance 0.5): "
            f"{', '.join(powers)}."
        )
    return text


def ceiling_sentence(models: Sequence[str], table: Table) -> str | None:
    """State how much annotators agree with each other, and why this is no ceiling."""
    pairs = [
        f"{model} {ours.value:.2f} against {theirs.value:.2f}"
        for model in models
        if (theirs := table.get(model, "annotators", BERT_F)).exists
        and (ours := table.get(model, FEWER, BERT_F)).exists
    ]
    if not pairs:
        return None
    return (
        "BERTScore F of the descriptions against all annotators but one, and of that one against "
        f"the same others: {', '.join(pairs)}. The annotators are no ceiling: they draw among "
        "synonyms and so disagree with each other, while a captioner that always says the "
        "likeliest word agrees with more of them."
    )


def within_sentence(paired: Sequence[Mapping[str, str]]) -> str | None:
    """Whether a captioner that saw other units of the same network does better, on the same units.

    `paired` are the rows of `generalization/paired.csv`, their p adjusted there.
    """
    names = ("cost", "low", "high", "p", "holm")
    rows = [
        (row, Difference(*(number(row[name]) for name in names)))
        for row in paired
        if row["experiment"] in (HELD_OUT, MATCHED) and row["cost"] != ""
    ]
    if not rows:
        return None
    verdicts = {1: "clearly better", -1: "clearly worse", 0: "not told apart"}
    pairs = [
        f"{row['test']}{', as many training units,' * (row['experiment'] == MATCHED)} "
        f"{_part(row, 'within')} against {_part(row, 'here')} of "
        f"{row['units']} units ({verdicts[cost.side]}, {p_text(cost.adjusted)})"
        for row, cost in rows
    ]
    text = (
        "Captioners that learned from other units of the same network against those that learned "
        f"from all other networks, on the same test units: {'; '.join(pairs)}"
    )
    if power := power_text([cost for _, cost in rows]):
        text += f"; {power}"
    rest = " where nothing else is said" if any(r["experiment"] == MATCHED for r, _ in rows) else ""
    return f"{text}. The latter also learn from a different number of units{rest}."


def _part(row: Mapping[str, str], column: str) -> str:
    return part_of(number(row[column]), int(row["units"]))


def probe_sentence(probes: Mapping[str, str]) -> str | None:
    """State what is held out when several networks were shown the same images, and what is not."""
    shared = [name for name in probes if list(probes.values()).count(probes[name]) > 1]
    if not shared:
        return None
    return (
        f"{', '.join(shared)} are probed with the same images: a captioner that never saw a "
        "network has seen many of its exemplar images under the masks of other networks. What is "
        "held out is the network, not the images."
    )
