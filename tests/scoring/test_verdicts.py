"""What words like "clearly" mean, on made-up numbers; and false names and power to separate."""

import math

import numpy as np
import pytest

from milan_core.scoring.naming import FalseNames, separation
from milan_core.scoring.tables import Truth
from milan_core.scoring.verdicts import (
    CLEARLY,
    Difference,
    against_paper,
    holm,
    over_trials,
    p_text,
    part_of,
    power_text,
)


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


def test_undefined_tests_do_not_count_in_a_family():
    adjusted = holm([0.03, math.nan, 0.02])
    assert adjusted[::2] == pytest.approx([0.04, 0.04])
    assert math.isnan(adjusted[1])


def test_a_difference_is_clear_by_its_adjusted_p_alone():
    assert Difference(0.1, 0.01, 0.2, p=0.03, adjusted=0.06).side == 0
    assert Difference(0.1, -0.01, 0.2, p=0.01, adjusted=0.04).side == 1
    assert Difference(-0.1, -0.2, 0.0, p=0.01, adjusted=0.04).side == -1
    assert Difference(0.1).side == 0


def test_p_values_in_sentences():
    assert p_text(0.0) == p_text(0.0009) == "p < 0.001"
    assert p_text(0.0314) == "p 0.031"
    assert p_text(math.nan) == "no p"
    assert [part_of(0.5, n) for n in (0, 8, 9, 10)] == ["50%", "4", "4.5", "50%"]


def test_several_trials_give_one_p():
    assert over_trials([0.03]) == 0.03
    assert over_trials([0.01, 0.02, 0.9]) == pytest.approx(0.04)
    assert over_trials([0.8, 0.9]) == 1
    assert math.isnan(over_trials([math.nan]))


def test_trials_in_which_nothing_differs_are_no_reason_to_believe_another():
    """Two of three trials without any difference: not what the third one says alone."""
    assert over_trials([math.nan, math.nan, 0.01]) == 1
    assert over_trials([math.nan, 0.01, 0.02]) == pytest.approx(0.04)
    assert math.isnan(over_trials([math.nan, math.nan]))
    assert math.isnan(over_trials([]))


def test_the_paper_is_confirmed_only_by_every_row():
    assert against_paper([1, 1]) == "agrees with the paper"
    assert against_paper([1, 0]) == against_paper([]) == "does not confirm the paper"
    assert against_paper([1, -1]) == "disagrees with the paper"
    assert against_paper([-1], papers=-1) == "agrees with the paper"


def test_no_difference_states_what_could_have_been_seen():
    """(1.96 + 0.84) / 1.96 of half the interval."""
    open_rows = [Difference(0.01, -0.06, 0.08, 0.5, 1), Difference(0.01, -0.13, 0.15, 0.5, 1)]
    text = (
        "there only a difference of 10 to 20 points or more would have been seen before adjustment"
    )
    assert power_text(open_rows) == text
    beyond = Difference(0.025, 0.013, 0.036, 0.004, 0.071)  # of 18 rows: not clear
    assert beyond.side == 0
    assert beyond.seen < beyond.value
    assert power_text([beyond]).endswith("before adjustment")
    assert "before adjustment" in CLEARLY
    assert power_text([Difference(0.3, 0.2, 0.4, 0.001, 0.001)]) == ""
    assert power_text([Difference(0.0, 0.0, 0.0, 1.0, 1.0)]) == "", "no spread tells no power"


def truth(concept, *accept):
    return Truth(concept, "object", 0.9, 12, True, accept)


def test_names_of_other_concepts_are_counted_once_each():
    dog, wall = truth("dog", "dog", "animal"), truth("brick wall", "brick wall", "wall")
    counted = FalseNames([dog, wall, truth("brick", "brick"), truth("cat", "cat", "animal")])
    assert counted.count("a dog", dog) == 0
    assert counted.count("dogs and cats, a cat", dog) == 1
    assert counted.count("an animal", dog) == 0, "a name that the unit's concept shares"
    assert counted.count("a brick wall", wall) == 0, "brick is part of its own name"
    assert counted.count("a brick wall", dog) == 1, "brick and wall are parts of one name"
    assert counted.count("a brick and a brick wall", dog) == 2
    forms = FalseNames([dog, wall, truth("cat", "cat", "cats")])
    assert forms.count("a cat, two cats", dog) == 1, "singular and plural are one name"
    unknown = Truth("blur", "none", 0.1, 1, False, ())
    counts = counted.counts(["cat", "cat"], [dog, unknown])
    assert counts[0] == 1
    assert math.isnan(counts[1])


def test_separation_is_the_share_of_ordered_pairs():
    correct = np.array([1, 1, 0, 0, math.nan])
    assert separation(np.array([3.0, 2, 2, 1, 9]), correct) == pytest.approx(3.5 / 4)
    assert math.isnan(separation(np.ones(5), np.ones(5)))
