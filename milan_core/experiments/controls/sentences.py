"""Sentences that follow from the numbers of a run; no conclusion is written down in advance.

Every function takes figures and returns plain sentences, whose words depend on which side of zero
the interval of a difference lies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from milan_core.core.numbers import percent, plainly, points, signed
from milan_core.experiments.controls.tables import Figure, Table
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN
from milan_core.scoring.beside import FEWER
from milan_core.scoring.scorer import ACCURACY, BERT_F, LEAD, MAIN

NO_EVIDENCE = {  # baselines that lack the unit's evidence, and their names in sentences
    "constant": "constant: agrees best in training",
    "constant_concept": "constant: most often right in training",
    "most_frequent": "constant: most frequent annotation",
    "prior_only": "p(d) alone: one text for all units",
    "shuffled_prediction": "descriptions dealt to other units",
    "shuffled_masks": "same captioner, masks of other images",
}
SAW = "learnt from other units of this network"


def share(figure: Figure) -> str:
    """A share with its interval."""
    if math.isnan(figure.low):
        return percent(figure.value)
    return f"{percent(figure.value)} [{100 * figure.low:.0f}–{100 * figure.high:.0f}]"


def direction(figure: Figure) -> str:
    """Where a difference lies: above, below, or open when its interval holds zero."""
    if not figure.exists or math.isnan(figure.low):
        return "open"
    return "above" if figure.low > 0 else "below" if figure.high < 0 else "open"


def accuracy_sentence(model: str, table: Table, held_out: bool) -> str | None:
    """How often descriptions name the concept, against the best baseline that lacks evidence."""
    ours = table.get(model, MAIN, ACCURACY)
    if not ours.exists:
        return None
    text = (
        f"{model}: {share(ours)} of {ours.n} units with a specific concept get a description that "
        f"names it, from a captioner that {'never saw this network' if held_out else SAW}."
    )
    rivals = [name for name in NO_EVIDENCE if table.get(model, name, ACCURACY).exists]
    if not rivals:
        return text
    best = max(rivals, key=lambda name: table.get(model, name, ACCURACY).value)
    theirs, lead = table.get(model, best, ACCURACY), table.get(model, best, ACCURACY + LEAD)
    verdict = {
        "above": "which is clearly below",
        "below": "which is clearly above the descriptions: they fail this test",
        "open": "too close to tell apart from the descriptions on these units",
    }[direction(lead)]
    gap = f" (difference {points(lead.value)})" if lead.exists else ""
    return (
        f"{text} The best baseline without that evidence, “{NO_EVIDENCE[best]}”, reaches "
        f"{percent(theirs.value)}, {verdict}{gap}."
    )


def mask_sentence(models: Sequence[str], table: Table) -> str | None:
    """Whether the masks are used: the same captioner without them."""
    leads = {m: table.get(m, "whole_image", ACCURACY + LEAD) for m in models}
    leads = {model: lead for model, lead in leads.items() if lead.exists}
    if not leads:
        return None
    parts = _by_direction(leads)
    effects = []
    if parts["above"]:
        effects.append(f"lowers the accuracy clearly on {_names(parts['above'], leads)}")
    if parts["open"]:
        effects.append(f"makes no clear difference on {_names(parts['open'], leads)}")
    if parts["below"]:
        effects.append(f"raises it clearly on {_names(parts['below'], leads)}")
    return f"Leaving the masks out {', and '.join(effects)}."


def _by_direction(leads: Mapping[str, Figure]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {"above": [], "open": [], "below": []}
    for name, lead in leads.items():
        groups[direction(lead)].append(name)
    return groups


def _names(names: Sequence[str], leads: Mapping[str, Figure]) -> str:
    return ", ".join(f"{name} ({points(-leads[name].value)})" for name in names)


def lambda_sentence(split: str, rows: Sequence[Mapping[str, float]], chosen: float) -> str | None:
    """What the weight of p(d) did on the same beams, against plain p(d|E)."""
    at = {row["lambda"]: row for row in rows}
    if chosen not in at or 0.0 not in at or math.isnan(at[chosen][ACCURACY]):
        return None
    plain, ours = at[0.0], at[chosen]
    gain = Figure(ours["accuracy_gain"], ours["gain_low"], ours["gain_high"])
    verdict = {
        "above": "a clear gain",
        "below": "a clear loss",
        "open": "no clear change",
    }[direction(gain)]
    best = max(rows, key=lambda row: row[ACCURACY])
    text = (
        f"{split}: with λ = {chosen:g} instead of 0 the accuracy goes from "
        f"{percent(plain[ACCURACY])} to {percent(ours[ACCURACY])} ({verdict}), distinct "
        f"descriptions from {plain['distinct']:.0f} to {ours['distinct']:.0f}, information from "
        f"{plainly(plain['mean_information'])} to {plainly(ours['mean_information'])} bits per word"
    )
    if best["lambda"] == chosen:
        return f"{text}; no other λ tried is more accurate."
    return f"{text}; the most accurate λ tried is {best['lambda']:g} ({percent(best[ACCURACY])})."


def bert_sentence(models: Sequence[str], table: Table) -> str | None:
    """Whether BERTScore tells the descriptions from constant texts."""
    worst: dict[str, Figure] = {}
    for model in models:
        leads = [
            lead
            for name in ("constant", "most_frequent", "prior_only")
            if (lead := table.get(model, name, BERT_F + LEAD)).exists
        ]
        if leads:
            worst[model] = min(leads, key=lambda lead: lead.value)
    if not worst:
        return None
    parts = _by_direction(worst)
    if not parts["open"] and not parts["below"]:
        return (
            "BERTScore F of the descriptions is clearly above that of every constant text on every "
            "network."
        )
    weak = ", ".join(
        f"{name} ({signed(worst[name].value)})" for name in parts["open"] + parts["below"]
    )
    return (
        "BERTScore F does not separate the descriptions from the best constant text on "
        f"{weak}; read it together with the accuracy."
    )


def ceiling_sentence(models: Sequence[str], table: Table) -> str | None:
    """What agreement is possible: each annotator against the others."""
    pairs = [
        f"{model} {ours.value:.2f} against {theirs.value:.2f}"
        for model in models
        if (theirs := table.get(model, "annotators", BERT_F)).exists
        and (ours := table.get(model, FEWER, BERT_F)).exists
    ]
    if not pairs:
        return None
    return (
        "For comparison with the agreement of the annotators: BERTScore F of the descriptions "
        "against all annotators but one, and of that one against the same others, is "
        f"{', '.join(pairs)}."
    )


def within_sentence(models: Sequence[str], table: Table) -> str | None:
    """Whether a captioner that saw other units of the same network does better."""
    pairs = []
    for model in models:
        inside = table.get(WITHIN, model, model, ACCURACY)
        trains = [t for t in table.values(1) if table.get(HELD_OUT, t, model, ACCURACY).exists]
        if inside.exists and trains:
            outside = table.get(HELD_OUT, trains[0], model, ACCURACY)
            overlap = inside.low <= outside.high and outside.low <= inside.high
            word = "intervals overlap" if overlap else "intervals apart"
            pairs.append(
                f"{model} {percent(inside.value)} against {percent(outside.value)} ({word})"
            )
    if not pairs:
        return None
    return (
        "Within-network captioners (tested on units they did not learn from) against captioners "
        f"that never saw the network: {'; '.join(pairs)}."
    )


def probe_sentence(probes: Mapping[str, str]) -> str | None:
    """What is held out when several networks were shown the same images, and what is not."""
    shared = [name for name in probes if list(probes.values()).count(probes[name]) > 1]
    if not shared:
        return None
    return (
        f"{', '.join(shared)} are probed with the same images: a captioner that never saw a "
        "network has seen many of its exemplar images under the masks of other networks. What is "
        "held out is the network, not the images."
    )
