"""Raw crowd answers become annotations step by step; nothing inside a word is touched."""

import re
from collections import Counter

import pytest

from milan_core.annotations.crowd.cleaning import (
    CleaningRules,
    clean,
    read_worker_rules,
    replace_phrases,
)
from milan_core.annotations.crowd.spelling import FrequencySpeller
from milan_core.annotations.records import Annotation
from milan_core.core.errors import UserError

HEADER = "Input.layer,Input.unit,Answer.summary,RejectionTime,WorkerId\n"
RULES = CleaningRules.load()


def write(tmp_path, *rows, header=HEADER):
    path = tmp_path / "results.csv"
    path.write_text(header + "".join(row + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("these are images of dogs.", "dogs"),
        ("these areas", "these areas"),
        ("all of these images are of red  cars , ", "red cars"),
        ("in these images, dogs, etc.", "dogs"),
        ("wheels that i can see in these images.", "wheels"),
        ("there are alot of teh trees...", "a lot of the trees"),
        ("wither", "wither"),
        ("wholesome food", "wholesome food"),
        ("none of the above.", "nothing"),
        ("the thing in them", "the thing"),
        ("items in theme parks", "items in theme parks"),
        ("these are", ""),
        ("", ""),
        ("...", ""),
    ],
)
def test_rules(raw, expected):
    assert RULES.apply(raw) == expected


def test_rules_are_lower_case_and_in_an_order_that_lets_all_of_them_apply():
    texts = [*RULES.prefixes, *RULES.suffixes, *RULES.replacements, *RULES.exact]
    assert all(text == text.lower().strip() for text in texts)
    assert len(set(RULES.prefixes)) == len(RULES.prefixes)
    hidden = [
        (earlier, later)
        for at, later in enumerate(RULES.prefixes)
        for earlier in RULES.prefixes[:at]
        if later.startswith(earlier + " ")
    ]
    assert not hidden
    assert len(RULES.prefixes) > 70
    assert len(RULES.replacements) > 90


def test_prefixes_apply_once_and_in_order():
    rules = CleaningRules(prefixes=("a", "the"))
    assert rules.apply("a the a dog") == "a dog"
    assert rules.apply("the a dog") == "a dog"


def test_a_whole_table(tmp_path):
    path = write(
        tmp_path,
        "conv1,3,These are Dogs.,,A",
        "conv1,3,cats,Mon Jan 01,A",
        "7,10,there are,,B",
        '7,10,"Red, green",,B',
    )
    found = clean(path)
    assert found.annotations == [
        Annotation("conv1", 3, "dogs"),
        Annotation("7", 10, "red, green"),
    ]
    assert (found.answers, found.rejected, found.empty, found.changed) == (4, 1, 1, 2)
    assert not found.worker_rules


def test_worker_rules_are_applied_to_that_worker_only(tmp_path):
    """Spec 6.2-23: the list of phrases was stored as the worker's id, so nothing ever matched."""
    path = write(
        tmp_path,
        "conv1,0,dogs with space around,,A1",
        "conv1,0,dogs with space around,,A2",
        "conv1,1,Space Around.,,A1",
        "conv1,2,cats,,A1",
        "conv1,3,hair on skin,,A3",
    )
    workers = tmp_path / "workers.yaml"
    workers.write_text("A1: [with space around, space around]\nA3: {hair on skin: fur}\n")
    found = clean(path, workers=read_worker_rules(workers))
    assert [row.summary for row in found.annotations] == [
        "dogs",
        "dogs with space around",
        "cats",
        "fur",
    ]
    assert found.worker_rules == Counter({"A1": 2, "A3": 1})
    assert found.empty == 1


def test_legacy_tables_name_the_unit_in_the_address(tmp_path):
    header = "Input.image_url_1,Answer.summary,RejectionTime,WorkerId\n"
    path = write(
        tmp_path,
        "https://example.org/a/b/conv1/unit_12/image_0.png?x=/unit_1/,dogs,,A",
        "https://example.org/blocks.1%2Fmlp/unit_3/image_0.png,cats,,A",
        header=header,
    )
    assert clean(path, legacy=True).annotations == [
        Annotation("conv1", 12, "dogs"),
        Annotation("blocks.1/mlp", 3, "cats"),
    ]
    path = write(tmp_path, "https://example.org/12.png,dogs,,A", header=header)
    with pytest.raises(UserError, match=r"line 2: expected \.\.\./<layer>/unit_<number>/<image>"):
        clean(path, legacy=True)
    with pytest.raises(UserError, match=r"missing column Input\.layer, Input\.unit"):
        clean(path)


def test_spelling_keeps_punctuation_and_known_words(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("dog 50\ndogs 20\nspotted 5\ndot 90\nanimals 7\nthe 100\n")
    speller = FrequencySpeller.load(words)
    path = write(tmp_path, 'conv1,0,"Spoted dgo, (anmals): xyzzyx of",,A')
    found = clean(path, CleaningRules(), speller)
    assert found.annotations[0].summary == "spotted dog, (animals): xyzzyx of"
    assert found.corrections["anmals", "animals"] == 1
    assert speller.correct("dogz") == "dog"  # a deletion; more frequent than `dogs`
    assert speller.correct("annimls") == "animals"
    assert FrequencySpeller.load(words, distance=1).correct("annimls") == "annimls"
    assert FrequencySpeller({"cat": 1, "bat": 1}).correct("zat") == "bat"
    for text, message in [("a b c\n", "line 1: expected `word count`"), ("", "empty")]:
        words.write_text(text)
        with pytest.raises(UserError, match=message):
            FrequencySpeller.load(words)
    with pytest.raises(UserError, match="word list not found"):
        FrequencySpeller.load(tmp_path / "none")


def test_replacements_are_whole_and_literal():
    assert replace_phrases("a.b axb a.b", {"a.b": r"\1"}) == r"\1 axb \1"
    assert replace_phrases("colourless colour", {"colour": "color"}) == "colourless color"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prefixes: dogs\n", "'prefixes' does not fit; the keys are prefixes (list)"),
        ("prefixs: [dogs]\n", "'prefixs' does not fit"),
        ("- a\n", "must be a map, got list"),
        ("a: [\n", "is not valid YAML"),
    ],
)
def test_broken_rules_are_named(tmp_path, text, message):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        CleaningRules.load(path)


def test_broken_tables_and_workers_are_named(tmp_path):
    with pytest.raises(UserError, match="line 2: unit must be a number"):
        clean(write(tmp_path, "conv1,x,dogs,,A"))
    with pytest.raises(UserError, match="table not found"):
        clean(tmp_path / "none.csv")
    path = tmp_path / "workers.yaml"
    path.write_text("A1: space around\n")
    with pytest.raises(UserError, match="worker 'A1' needs a list of phrases"):
        read_worker_rules(path)
    with pytest.raises(UserError, match="No such file"):
        read_worker_rules(tmp_path / "none.yaml")
