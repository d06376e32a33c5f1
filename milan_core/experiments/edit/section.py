"""Section of the report on the editing: tables, captions, sentences that follow from numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.numbers import added
from milan_core.core.section import Column, Link, Picture, Section, Table
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.figure import NAMES
from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT, TESTS
from milan_core.experiments.edit.tables import groups

Result = Mapping[str, Any]
PAPER_GAIN, PAPER_UNITS = 0.049, 13  # figure 8: 58.8 % to 63.7 % by ablating 13 of 300 units
CAPTION = (
    "Accuracy on test images against the number of ablated units, mean over networks and draws; "
    "thin lines: single networks or draws. Dots: the number chosen on the {chosen_on} scenes. The "
    "random controls are measured along the whole curve on wrong text only."
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
    gain = f"{ADVERSARIAL}-gain"
    columns.append(
        Column(gain, "gain, wrong text", "percent", low=f"{gain}-low", high=f"{gain}-high")
    )
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
    paragraphs += [_published(results), METHODS[chosen_on]]
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
RANKING = {
    "wrong": "The ranking images have wrong words: this tells the control `all-sorted` which units "
    "of any kind hurt. The paper ranked on images with mostly correct text, which does not.",
    "as_learnt": "The ranking images have text as in training, as in the paper: `all-sorted` then "
    "cannot know which units hurt when words are wrong.",
}


def _choice(results: Sequence[Result]) -> tuple[str, str]:
    """Scenes that the numbers of units were chosen on, and how, for captions."""
    if any(result.get("chosen_on") == "test" for result in results):
        return "test", "the test scenes with wrong text, as published"
    return "validation", "validation scenes by the mean of both accuracies"


def sentences(result: Result) -> list[str]:
    """One paragraph on one network."""
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
        f"{after:.1%} ({_interval(text['gain'][ADVERSARIAL])}), without text by "
        f"{_interval(text['gain'][CLEAN])}, with correct text by "
        f"{_interval(text['gain'][CORRECT])}."
    ]  # fmt: skip
    for condition in orders.CONDITIONS:
        if condition in result["text_less"]:
            lead = result["text_less"][condition]
            parts.append(f"Against {condition}: {_interval(lead)}, {_verdict(lead)}.")
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


def _verdict(lead: Mapping[str, float]) -> str:
    if lead["low"] > 0:
        return "clearly better"
    if lead["high"] < 0:
        return "clearly worse"
    return "no clear difference"


def _overall(group: str, over: Mapping[str, Any], count: int) -> str:
    networks = f"{count} networks of {group}" if group else f"{count} networks"
    parts = [
        f"Over {networks} the units chosen by their description gain "
        f"{_interval(over[orders.TEXT]['gain'])} on wrong text (95 % interval over networks)."
    ]
    for condition, entry in over.items():
        if condition != orders.TEXT:
            parts.append(
                f"{condition}: {_interval(entry['gain'])}; text-sorted is ahead by "
                f"{_interval(entry['text_less'])}."
            )
    return " ".join(parts)


def _published(results: Sequence[Result]) -> str:
    gains = [r["conditions"][orders.TEXT]["gain"][ADVERSARIAL]["value"] for r in results]
    mean = added(gains) / len(gains)
    text = (
        f"The paper gained {100 * PAPER_GAIN:.1f} points by ablating {PAPER_UNITS} text units, a "
        "number that was read off the test curve."
    )
    clear = [r["conditions"][orders.TEXT]["gain"][ADVERSARIAL]["low"] > 0 for r in results]
    controls = [
        r["text_less"][c]["low"] > 0 for r in results for c in orders.DRAWN if c in r["text_less"]
    ]
    if mean <= 0:
        return f"{text} Here nothing is gained: this run does not show the effect."
    agree = f"{text} Here {100 * mean:.1f} points are gained, clear of zero in {sum(clear)} of "
    agree += f"{len(clear)} networks, and clearly more than by random units in {sum(controls)} of "
    agree += f"{len(controls)} comparisons."
    beaten = [r["text_less"][orders.ALL]["high"] < 0 for r in results]
    if any(beaten):
        agree += (
            f" In {sum(beaten)} of them the best units of any kind do better than those described "
            "as text, which the paper did not find."
        )
    return agree
