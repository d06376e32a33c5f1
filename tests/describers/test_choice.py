"""The rule of `auto`: captioner within its domain, with a judge, encoder, words, or a refusal."""

from pathlib import Path

import pytest

from milan_core.captioner.domain import DomainCheck
from milan_core.core.errors import UserError
from milan_core.describers.choice import AtHand, CaptionerAtHand, choose, require_domain

INSIDE, PARTLY = DomainCheck(0.02, 0.0, 400), DomainCheck(0.84, 0.13, 400)
OUTSIDE, UNKNOWN = DomainCheck(1.0, 1.0, 400), DomainCheck()


def captioner(check, *, trusted=False):
    return CaptionerAtHand(Path("c"), check, trusted)


def test_a_captioner_within_its_domain_comes_first():
    choice = choose(AtHand(captioner(INSIDE), clip="my/clip"))
    assert (choice.describer, choice.warning) == ("milan", "")
    assert "captioner c: the images are like those that the captioner learned from" in choice.why


def test_a_judge_chooses_where_there_is_one():
    choice = choose(AtHand(captioner(INSIDE), judge="results/judge"))
    assert choice.describer == "pool"
    assert choice.why.endswith("judge results/judge")
    without = choose(AtHand(captioner(INSIDE), no_judge="20 images, expected 100 or more"))
    assert without.describer == "milan"
    assert "no judge chooses: 20 images" in without.why
    assert choose(AtHand(captioner(OUTSIDE), judge="results/judge")).describer == "words"
    alone = choose(AtHand(captioner(UNKNOWN), judge="my/clip", no_words="got 6 images"))
    assert alone.describer == "pool"


def test_one_that_leaves_its_domain_in_part_is_taken_with_a_warning():
    choice = choose(AtHand(captioner(PARTLY)))
    assert choice.describer == "milan"
    assert "0.84 of 400 outside its domain, 0.13 far" in choice.warning
    assert choose(AtHand(captioner(PARTLY), clip="my/clip")).describer == "words"


def test_outside_its_domain_it_is_not_offered_unless_forced():
    choice = choose(AtHand(captioner(OUTSIDE)))
    assert (choice.describer, choice.check, choice.warning) == ("words", None, "")
    assert choice.why.startswith("words from packages; captioner c: the images are unlike")
    assert "--force takes it all the same" in choice.why
    assert choose(AtHand(captioner(OUTSIDE), clip="my/clip")).why.startswith("words by the encoder")
    forced = choose(AtHand(captioner(OUTSIDE), force=True))
    assert forced.describer == "milan"
    assert "unlike" in forced.warning


def test_an_unknown_domain_is_said_and_trusted_only_where_it_was_named():
    assert choose(AtHand(captioner(UNKNOWN))).describer == "words"
    named = choose(AtHand(captioner(UNKNOWN, trusted=True)))
    assert named.describer == "milan"
    assert "domain unknown" in named.why
    assert named.warning == ""
    alone = choose(AtHand(captioner(UNKNOWN), no_words="got 6 images"))
    assert alone.describer == "milan"
    assert "domain unknown" in alone.why


def test_nothing_at_hand_says_why_of_each():
    with pytest.raises(
        UserError, match=r"Photographs: got 6 images\. Other images: no captioner is here"
    ):
        choose(AtHand(None, no_words="got 6 images"))
    with pytest.raises(UserError, match=r"captioner c: the images are unlike .*--force"):
        choose(AtHand(captioner(OUTSIDE), no_words="got 6 images"))


def test_a_captioner_asked_for_by_name_needs_force_outside():
    for check in (INSIDE, PARTLY, UNKNOWN):
        require_domain(Path("c"), check, force=False)
    require_domain(Path("c"), OUTSIDE, force=True)
    with pytest.raises(UserError, match="with --force"):
        require_domain(Path("c"), OUTSIDE, force=False)
