"""What masks gain, from captioners that were trained with and without them."""

import pytest

from experiments.generalization.test_transfer import TRUTH, trial
from milan_core.experiments.generalization.masks import mask_rows, masks_sentence
from milan_core.experiments.generalization.options import HELD_OUT, MATCHED, UNMASKED, WITHIN
from milan_core.experiments.generalization.section import transfer_section
from milan_core.experiments.generalization.transfer import transfer
from milan_core.scoring.bootstrap import Bootstrap


def test_masks_are_compared_with_captioners_that_learned_without_them():
    trials = [trial(HELD_OUT, ["a"], 0, right=36), trial(UNMASKED, ["a"], 0, right=10)]
    [row] = mask_rows(trials, TRUTH, Bootstrap(0, 500))
    assert (row["masks"], row["whole"]) == (0.9, 0.25)
    assert row["gain"] == pytest.approx(0.65)
    assert row["low"] > 0
    text = masks_sentence([row])
    assert "net 90% under masks, 25% from whole images (masks clearly help, p " in text
    results = transfer(trials, TRUTH, Bootstrap(0, 200))
    assert text in transfer_section(results, masks=[row]).paragraphs
    assert any(item.path == "masks.csv" for item in transfer_section(results, masks=[row]).items)


def test_equal_captioners_are_not_told_apart_and_the_power_is_stated():
    trials = [trial(HELD_OUT, ["a"], 0, right=20), trial(UNMASKED, ["a"], 0, right=19)]
    text = masks_sentence(mask_rows(trials, TRUTH, Bootstrap(0, 500)))
    assert "(not told apart, p 1.000); there only a difference of " in text


def test_without_such_captioners_there_is_no_row():
    trials = [trial(HELD_OUT, ["a"], 0, right=20), trial(WITHIN, ["net"], 0, right=20)]
    assert mask_rows(trials, TRUTH, Bootstrap(0, 200)) == []
    assert masks_sentence([]) == ""


def test_captioners_without_masks_cost_no_transfer_and_matched_ones_say_so():
    trials = [
        trial(WITHIN, ["net"], 0, right=20, tested=20),
        trial(UNMASKED, ["a", "b"], 0, right=0),
        trial(MATCHED, ["a", "b"], 0, right=5),
    ]
    results = transfer(trials, TRUTH, Bootstrap(0, 500))
    assert [row["experiment"] for row in results.paired] == [MATCHED]
    text = " ".join(transfer_section(results).paragraphs)
    assert "the cost is that of transfer alone: net +75 points (p " in text
    assert "one that learns elsewhere, unless matched, from all units of its" in text
    captions = " ".join(item.caption for item in transfer_section(results).items)
    assert "texts of fewer than four words have no 4-gram" in captions, "whatever the references"
