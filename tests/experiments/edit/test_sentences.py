"""Sentences and intervals of the edit section, from made results."""

import numpy as np
import pytest

from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT, results
from milan_core.experiments.edit.section import edit_section
from milan_core.experiments.edit.tables import summarize
from milan_core.scoring.bootstrap import Bootstrap


def test_intervals_of_random_controls_are_over_their_draws_too():
    right = {
        "before": dict.fromkeys((CLEAN, CORRECT, ADVERSARIAL), np.full((1, 50), 0.5)),
        "text-sorted": dict.fromkeys((CLEAN, CORRECT, ADVERSARIAL), np.full((1, 50), 0.7)),
        # every image alike, so that only the draws differ
        "random": dict.fromkeys(
            (CLEAN, CORRECT, ADVERSARIAL), np.repeat([[0.2], [0.4], [0.6], [0.8]], 50, axis=1)
        ),
    }
    found = results(right, {"text-sorted": 2, "random": 2}, Bootstrap(0))
    lead = found["text_less"]["random"]
    assert lead["value"] == pytest.approx(0.2)
    assert lead["low"] < 0 < lead["high"]
    sure = found["conditions"]["text-sorted"]["gain"][ADVERSARIAL]
    assert list(sure.values()) == pytest.approx([0.2, 0.2, 0.2])


def made_result(gains, prices, less, same=()):
    """Results of networks with these gains and leads of text-sorted over both key controls."""
    entry = {"low": None, "high": None}
    zero = {"value": 0.0, **entry}
    for gain, price, lead in zip(gains, prices, less, strict=True):
        changes = {CLEAN: zero, CORRECT: {"value": price, **entry}}
        changes |= {ADVERSARIAL: {"value": gain, **entry}}
        condition = {"n": 2, "after": changes, "gain": changes}
        names = ("text-sorted", "all-sorted", "sorted, not text", "random")
        yield {
            "model": "m", "matched": 3, "units": 9, "known": None, "query": "text",
            "before": dict.fromkeys((CLEAN, CORRECT, ADVERSARIAL), zero), "identical": list(same),
            "conditions": dict.fromkeys(names, condition),
            "text_less": {key: {"value": lead, **entry} for key in names[1:]},
            "rank": {"random": {"rank": 1, "of": 21}}, "fine_tuned": None, "reference": None,
        }  # fmt: skip


def paragraphs(*arguments, **more):
    summary = summarize(list(made_result(*arguments, **more)))
    return " ".join(edit_section(summary).paragraphs)


def test_one_network_is_a_demonstration():
    text = paragraphs([0.03], [-0.1], [0.03])
    assert "(+3.0 points) at the price of -10.0 points on correct text" in text
    assert "Against random: +3.0 points (place 1 of 21 by accuracy on wrong text)." in text
    assert "One network is a demonstration" in text
    assert "clearly" not in text.lower()
    assert "+3.0 points on wrong text come with -10.0 on correct text" in text


def test_identical_choices_are_said_to_be_identical():
    text = paragraphs([0.03], [-0.1], [0.0], same=["all-sorted"])
    assert "The very same units are chosen by all-sorted, so these are no comparisons" in text
    assert "Against all-sorted" not in text
    assert "Against sorted, not text (chose 2 units): +0.0 points." in text


def test_networks_are_the_replicates():
    clear = paragraphs([0.1] * 5, [-0.2] * 5, [0.1, 0.12, 0.11, 0.09, 0.1])
    assert "random: +10.0 points [+10.0, +10.0]; text-sorted is clearly ahead" in clear
    assert "over networks this agrees with the paper" in clear
    assert "price of -20.0 points" in clear
    vague = paragraphs([0.1] * 5, [-0.2] * 5, [0.1, -0.12, 0.11, -0.09, 0.1])
    assert "text-sorted is not told apart" in vague
    assert "would have been seen" in vague
    assert "this does not confirm the paper" in vague
