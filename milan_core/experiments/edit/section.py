"""Section of the report on the editing: tables, captions, sentences that follow from numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.numbers import added, counted
from milan_core.core.section import Column, Link, Picture, Section, Table
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.figure import NAMES
from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT, TESTS
from milan_core.experiments.edit.tables import groups
from milan_core.scoring.verdicts import (
    CLEARLY,
    Difference,
    against_paper,
    p_text,
    power_text,
)

Result = Mapping[str, Any]
KEY = (orders.RANDOM, orders.OTHERS)  # what the units described as text must do better than
PAPER_GAIN, PAPER_UNITS = 0.049, 13  # figure 8: 58.8 % to 63.7 % by ablating 13 of 300 units
CAPTION = (
    "Accuracy on test images against the number of ablated units, mean over networks and draws "
    "(the first three); thin lines: single networks or draws. Dots: the number chosen on the "
    "{chosen_on} scenes. The random controls are measured along the whole curve on wrong text only."
)
SUMMARY_CAPTION = (
    "Accuracy after each condition, and its gain over the network as it is. The number of units is "
    "chosen on {how}; random controls ablate as many as text-sorted. Intervals of one network: "
    "bootstrap over test images, for the random controls over their draws as well; of the mean: "
    "Student's, over networks."
)


def edit_section(summary: Mapping[str, Any]) -> Section:
    """The section of the report; curves.svg and summary.csv must lie beside it."""
    results = summary["networks"]
    columns = [
        Column("model", "network"),
        Column("condition", "condition"),
        Column("n", "units", "number", 1),
    ]
    for split in TESTS:
        columns.append(
            Column(split, NAMES[split], "percent", low=f"{split}-low", high=f"{split}-high")
        )
    for split in (ADVERSARIAL, CORRECT):
        gain = f"{split}-gain"
        title, low, high = f"gain, {NAMES[split]}", f"{gain}-low", f"{gain}-high"
        columns.append(Column(gain, title, "percent", low=low, high=high))
    chosen_on, how = _choice(results)
    items: list[Table | Picture | Link] = [
        Picture("curves.svg", CAPTION.format(chosen_on=chosen_on)),
        Table("summary.csv", SUMMARY_CAPTION.format(how=how), columns),
    ]
    paragraphs = [text for result in results for text in sentences(result)]
    members = groups(results)
    paragraphs[:0] = [
        _overall(name, over, len(members[name])) for name, over in summary["over_networks"].items()
    ]
    paragraphs += [_published(results, summary["over_networks"]), METHODS[chosen_on], CONTROLS]
    ranked = {result.get("ranking_text", "wrong") for result in results}
    paragraphs += [text for how, text in RANKING.items() if how in ranked]
    title = "Editing: spurious text units removed"
    return Section("edit", title, 70, paragraphs, items)


METHODS = {
    "validation": "Units are ranked on images of their own, their number is chosen on others, and "
    "the result is measured on a third set.",
    "test": "The number of units is read off the test curve, as the paper did: gains are those of "
    "the best of all numbers tried on the very images that they are measured on, and so too "
    "large.",
}
CONTROLS = (
    "Controls: `sorted, not text` are units ranked the same way that are described as something "
    "else, `text, unsorted` units described as text in random order: the first shows what the "
    "ranking finds alone, the second what the descriptions find alone. Where one unit is removed, "
    "every other unit of its layer is tried instead of a sample."
)
RANKING = {
    "wrong": "The ranking images have wrong words: this tells the control `all-sorted` which units "
    "of any kind hurt. The paper ranked on images whose text, where they have any, is correct; "
    "that does not.",
    "as_learnt": "The ranking images have text as in training, as in the paper: `all-sorted` then "
    "cannot know which units hurt when words are wrong.",
}


def _choice(results: Sequence[Result]) -> tuple[str, str]:
    """Scenes that the numbers of units were chosen on, and how, for captions."""
    if any(result.get("chosen_on") == "test" for result in results):
        return "test", "the test scenes with wrong text, as published"
    return "validation", "validation scenes by the mean of both accuracies"


def sentences(result: Result) -> list[str]:
    """One paragraph on one network: a demonstration, since networks are the replicates."""
    if result["matched"] == 0:
        return [_nothing(result)]
    text = result["conditions"][orders.TEXT]
    before, after = (entry[ADVERSARIAL]["value"] for entry in (result["before"], text["after"]))
    parts = [
        f"{result['model']}: {result['matched']} of {result['units']} units are described as "
        f"{result['query']}"
        + (f", {result['both']} of the {result['known']} whose known concept is that"
           if result["known"] is not None else "")
        + f". Without {_units(text['n'])}, accuracy on wrong text goes from {before:.1%} to "
        f"{after:.1%} ({_interval(text['gain'][ADVERSARIAL])}) at the price of "
        f"{_interval(text['gain'][CORRECT])} on correct text and {_interval(text['gain'][CLEAN])} "
        "without text (intervals over test images of this one network)."
    ]  # fmt: skip
    identical = [name for name in orders.CONDITIONS if name in result["identical"]]
    if identical:
        parts.append(_identical(identical) if text["n"] else _none(identical))
    parts += [
        f"Against {condition}{_number(result, condition)}: "
        f"{_interval(result['text_less'][condition])}"
        f"{_rank(result, condition)}."
        for condition in orders.CONDITIONS
        if condition in result["text_less"] and condition not in identical
    ]
    if tuned := result["fine_tuned"]:
        with_, without = (tuned[key][ADVERSARIAL] for key in ("no unit removed", "units removed"))
        parts.append(
            f"With the head trained again: {without:.1%} on wrong text without these units, "
            f"{with_:.1%} with all units in place."
        )
    if reference := result["reference"]:
        parts.append(
            f"The same network trained without spurious text reaches {reference[ADVERSARIAL]:.1%}."
        )
    return [" ".join(parts)]


def _identical(names: Sequence[str]) -> str:
    text = f"The very same units are chosen by {_names(names)}, so these are no comparisons"
    if orders.ALL in names:
        text += ": the ranking alone, which knows no description, finds them"
    return text + "."


def _none(names: Sequence[str]) -> str:
    """Conditions that ablate no unit where text-sorted ablates none."""
    return f"Nothing is ablated by {_names(names)} either, so these are no comparisons."


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(result: Result, condition: str) -> str:
    """The number of units of a condition that chose its own on the validation images."""
    count = result["conditions"][condition]["n"]
    return f" (chose {counted(count, 'unit')})" if condition in orders.SORTED else ""


def _rank(result: Result, condition: str) -> str:
    """The place of the text units among the draws of a control."""
    if condition not in result["rank"]:
        return ""
    place, count = (result["rank"][condition][key] for key in ("rank", "of"))
    share = f", an exact one-sided p of {place / count:.3f}" if condition == orders.LAYER else ""
    return f" (place {place} of {count} by accuracy on wrong text{share})"


def _units(count: int) -> str:
    return f"{count} of them" if count else "any of them (no number of units helped)"


def _nothing(result: Result) -> str:
    return (
        f"{result['model']}: none of its {result['units']} units is described as "
        f"{result['query']}, so nothing can be edited by description."
    )


def _interval(entry: Mapping[str, float | None]) -> str:
    value, low, high = (entry[key] for key in ("value", "low", "high"))
    text = f"{100 * value:+.1f} points" if value is not None else "unknown"
    if low is None or high is None:
        return text
    return f"{text} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _overall(group: str, over: Mapping[str, Any], count: int) -> str:
    """The result over several networks, which are the replicates."""
    networks = f"{count} networks of {group}" if group else f"{count} networks"
    text = over[orders.TEXT]
    parts = [
        f"Over {networks} the units chosen by their description gain {_interval(text['gain'])} on "
        f"wrong text at the price of {_interval(text['price'])} on correct text (95 % intervals "
        "over networks)."
    ]
    for condition, entry in over.items():
        if condition != orders.TEXT:
            lead = _difference(entry["text_less"])
            verdict = {1: "clearly ahead", -1: "clearly behind", 0: "not told apart"}[lead.side]
            power = power_text([lead])
            parts.append(
                f"{condition}: {_interval(entry['gain'])}; text-sorted is {verdict}, by "
                f"{_interval(entry['text_less'])} ({p_text(lead.adjusted)}"
                f"{'; ' + power if power else ''})."
            )
    return " ".join(parts)


def _difference(entry: Mapping[str, float | None]) -> Difference:
    values = (entry[key] for key in ("value", "low", "high", "p", "holm"))
    value, low, high, p, adjusted = (math.nan if one is None else one for one in values)
    return Difference(value, low, high, p, adjusted)


def _published(results: Sequence[Result], over: Mapping[str, Any]) -> str:
    """The paper's claim, and whether networks enough confirm it, with the controls it lacks."""
    text = (
        f"The paper gained {100 * PAPER_GAIN:.1f} points by ablating {PAPER_UNITS} text units of "
        "one network, a number that was read off the test curve."
    )
    edited = [r for r in results if r["conditions"][orders.TEXT]["n"]]
    if not edited:
        return f"{text} Here no number of units helped: this run does not show the effect."
    gain, price = (
        added(r["conditions"][orders.TEXT]["gain"][split]["value"] for r in edited) / len(edited)
        for split in (ADVERSARIAL, CORRECT)
    )
    start = (
        f"{text} Here {100 * gain:+.1f} points on wrong text come with {100 * price:+.1f} on "
        "correct text"
    )
    blind = [r for r in edited if orders.ALL in r["identical"]]
    if blind:
        start += (
            f", and in {len(blind)} of {len(edited)} networks the same units are found without any "
            "description"
        )
    leads = [
        _difference(entry[c]["text_less"]) for entry in over.values() for c in KEY if c in entry
    ]
    if not leads:
        return (
            f"{start}. One network is a demonstration: whether descriptions choose better than the "
            "ranking alone takes several networks."
        )
    verdict = against_paper([lead.side for lead in leads])
    return f"{start}. Against {' and '.join(KEY)} over networks this {verdict}. {CLEARLY}"
