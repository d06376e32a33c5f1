"""BLEU, ROUGE, diversity and word matching: hand-made cases and the published code's numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import TESTS

from milan_core.scoring import intervals, metrics, words
from milan_core.scoring.bootstrap import Bootstrap

GOLDEN = json.loads((TESTS / "data/golden/metrics.json").read_text())


def test_bleu_equals_the_published_numbers() -> None:
    found = metrics.bleu(GOLDEN["predictions"], GOLDEN["references"])
    assert found["bleu"] == GOLDEN["bleu"]
    assert [found[f"bleu-{n}"] for n in (1, 2, 3, 4)] == GOLDEN["precisions"]


def test_rouge_equals_the_published_numbers() -> None:
    found = metrics.rouge(GOLDEN["predictions"], GOLDEN["references"])
    for kind, stats in GOLDEN["rouge"].items():
        for stat, value in stats.items():
            assert found[f"{kind}-{stat}"] == value, (kind, stat)


def test_normalize_strips_points_and_spaces_only() -> None:
    assert metrics.normalize(" . The Dog's tail. ") == "the dog's tail"
    assert metrics.normalize("...") == ""
    assert metrics.normalize("a, b,") == "a, b,"


def test_an_accent_of_its_own_is_no_other_letter() -> None:
    typed, joined = "a cafe\u0301", "a caf\u00e9"
    assert metrics.bleu([typed], [[joined]])["bleu-1"] == 100
    assert metrics.rouge([typed], [[joined]])["rouge-l-f"] == pytest.approx(1)


def test_bleu_truncates_to_the_smallest_reference_count() -> None:
    full = metrics.bleu(["a b c d", "x y z w"], [["q q q q", "a b c d"], ["x y z w"]])
    cut = metrics.bleu(["a b c d", "x y z w"], [["q q q q"], ["x y z w"]])
    assert full == cut


def test_corpus_bleu_of_short_equal_texts_is_zero_but_sentence_bleu_is_not() -> None:
    assert metrics.bleu(["red dog"], [["red dog"]])["bleu"] == 0.0
    assert metrics.sentence_bleu("Red dog.", ["red dog"]) == pytest.approx(100.0)
    assert metrics.bleu(["a red dog runs"], [["a red dog runs"]])["bleu"] == pytest.approx(100.0)


def test_empty_predictions_are_handled() -> None:
    assert metrics.bleu([".", "a b c d"], [["a"], ["a b c d"]])["bleu"] > 0
    found = metrics.rouge([".", "red dog"], [["a", "b"], ["red dog", ". "]])
    assert found["rouge-1-f"] == pytest.approx(1.0)  # one pair is left, and it is equal
    assert math.isnan(metrics.rouge(["."], [["a"]])["rouge-l-f"])
    assert all(math.isnan(value) for value in metrics.bleu([], []).values())


def test_rouge_is_the_mean_over_pairs_not_the_best_reference() -> None:
    found = metrics.rouge(["red dog"], [["red dog", "blue cat"]])
    assert found["rouge-1-r"] == pytest.approx(0.5)
    assert found["rouge-2-p"] == pytest.approx(0.5)
    found = metrics.rouge(["red dog"], [["dog red sky sky"]])
    assert found["rouge-1-p"] == pytest.approx(1.0)
    assert found["rouge-1-r"] == pytest.approx(2 / 3)  # the package counts distinct words
    assert found["rouge-l-p"] == pytest.approx(0.5)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="1 predictions but 2 lists"):
        metrics.bleu(["a"], [["a"], ["b"]])
    with pytest.raises(ValueError, match="1 predictions have no reference"):
        metrics.rouge(["a"], [[]])


def test_the_sequence_form_counts_repeated_words() -> None:
    """The package compares sets of words: its F here is .667."""
    found = metrics.rouge(["pink birds and other birds"], [["pink birds"]])
    assert found["rouge-l-f"] == pytest.approx(2 / 3)
    assert found[metrics.SEQUENCE] == pytest.approx(4 / 7)
    assert metrics.sequence_f(["a", "b", "c"], ["c", "b", "a"]) == pytest.approx(1 / 3)
    assert metrics.sequence_f([], []) == 0.0


def test_bleu_over_pairs_of_words_tells_short_texts_apart() -> None:
    found = metrics.bleu(["red dog", "cat"], [["red dog"], ["cat"]])
    assert (found["bleu"], found[metrics.BLEU_SHORT]) == (0.0, pytest.approx(100.0))


@pytest.mark.parametrize("seed", range(3))
def test_bleu_of_many_sums_is_that_of_the_package(seed: int) -> None:
    from sacrebleu.metrics import BLEU

    draw = np.random.default_rng(seed)
    totals = np.sort(draw.integers(0, 9, (60, 4)), axis=1)[:, ::-1]
    parts = np.hstack([draw.integers(0, totals + 1), totals, draw.integers(1, 12, (60, 2))])
    for row, found in zip(parts, intervals.bleu_of(parts), strict=True):
        counts, total = row[:4].tolist(), row[4:8].tolist()
        theirs = BLEU.compute_bleu(counts, total, int(row[8]), int(row[9]), smooth_method="exp")
        assert found[:5] == pytest.approx([theirs.score, *theirs.precisions])


def test_information_is_minus_log2_of_the_training_frequency() -> None:
    information = metrics.WordInformation(["dog dog", "cat bird"])
    assert information.bits("dog") == 1.0
    assert information.bits("cat") == 2.0
    assert information.bits("never") == 2.0  # as if seen once
    with pytest.raises(ValueError, match="at least one training caption"):
        metrics.WordInformation(["", "."])


def test_diversity() -> None:
    information = metrics.WordInformation(["dog dog", "cat bird"])
    found = metrics.diversity(["Dog.", "dog", "cat bird"], information)
    assert found == {
        "distinct": 2.0,
        "distinct_share": pytest.approx(2 / 3),
        "mean_words": pytest.approx(4 / 3),
        "mean_information": pytest.approx((1 + 1 + 2 + 2) / 4),
        "vocabulary": 3.0,
    }
    nothing = metrics.diversity([], information)
    assert nothing["distinct"] == 0
    assert math.isnan(nothing["mean_words"])
    assert math.isnan(metrics.diversity([""], information)["mean_information"])


@pytest.mark.parametrize(
    ("description", "accept", "expected"),
    [
        ("a texture of bricks", ["text"], False),
        ("surface of water", ["face"], False),
        ("Text on a sign.", ["text", "word"], True),
        ("two brick-walls", ["brick wall"], True),
        ("a wall of brick", ["brick wall"], False),
        ("the dog's head", ["dog"], True),
        ("the dogs' heads", ["dog"], True),
        ("faces", ["face"], True),
        ("a letter", ["letters"], True),
        ("butterflies", ["butterfly"], True),
        ("boxes and buses", ["bus"], True),
        ("boxes and buses", ["fox"], False),
        ("people, mice", ["person"], True),
        ("people, mice", ["mouse"], True),
        ("snowmen", ["snowman"], True),
        ("knives", ["knife"], True),
        ("glass", ["glas"], True),  # a plural spelling of an unknown noun
        ("grass", ["gras s"], False),
        ("", ["dog"], False),
        ("dog", [], False),
        ("dog", ["", " "], False),
    ],
)
def test_names_concept(description: str, accept: list[str], expected: bool) -> None:
    assert words.names_concept(description, accept) is expected


def test_split_accept() -> None:
    assert words.split_accept("dog; puppy ;;") == ("dog", "puppy")
    assert words.split_accept("") == ()


def test_tokens_agree_with_whole_words() -> None:
    assert words.tokens("The dog’s brick-wall, 2 textures.") == [
        *("the", "dog", "brick", "wall", "2", "textures")
    ]
    assert np.unique(words.tokens("a a A")).tolist() == ["a"]


@pytest.mark.parametrize(
    "texts", [("a b", "c"), ("a. b", "c. d"), ("a. . b", "c. . d"), ("a", "A.b")]
)
def test_pairs_without_a_common_word_score_as_in_the_package(texts: tuple[str, str]) -> None:
    from rouge import Rouge

    package = Rouge().get_scores(*texts)[0]
    expected = [package[f"rouge-{kind}"][stat] for kind in "12l" for stat in "rpf"]
    assert list(metrics.RougeScorer().pair(*texts))[:9] == expected


def test_parts_of_units_add_up_to_the_corpus() -> None:
    predictions, references = GOLDEN["predictions"], GOLDEN["references"]
    parts = intervals.bleu_parts(predictions, references)
    whole = metrics.bleu(predictions, references)
    assert intervals.bleu_of(parts.sum(axis=0)[None])[0] == pytest.approx(list(whole.values()))
    scorer = metrics.RougeScorer()
    sums = intervals.rouge_parts(scorer, predictions, references).sum(axis=0)
    means = list(scorer.score(predictions, references).values())
    assert (sums[:-1] / sums[-1]).tolist() == pytest.approx(means)
    assert np.isnan(intervals.bleu_of(np.zeros((1, 10), np.int64))).all()


def test_intervals_are_those_of_scoring_every_resample_anew() -> None:
    predictions, references = GOLDEN["predictions"], GOLDEN["references"]
    count = len(predictions)
    bootstrap = Bootstrap(0, 40, 0.9)
    lots, sizes = bootstrap.indices(count, "agreement"), np.ones(count)
    scorer = metrics.RougeScorer()
    found = intervals.agreement_intervals(
        scorer, predictions, references, bootstrap, np.arange(count)
    )
    anew = []
    for lot in lots:
        texts, refs = [predictions[i] for i in lot], [references[i] for i in lot]
        anew.append({**metrics.bleu(texts, refs), **scorer.score(texts, refs)})
    assert set(found) == {*metrics.BLEU_METRICS, *metrics.ROUGE_METRICS}
    for name, ends in found.items():
        plain = bootstrap.ends(np.array([row[name] for row in anew]), sizes)
        assert ends == pytest.approx(plain), name


@pytest.mark.parametrize(
    "text", ["a red dog runs here", "red", "red dog", "blue", "a red dog", "dog red a runs", ""]
)
def test_bleu_equals_the_package_up_to_its_last_digit(text: str) -> None:
    from sacrebleu.metrics import BLEU

    texts = ["a red dog runs", "the dog runs red"]
    package = BLEU(effective_order=True).sentence_score(text, texts).score
    assert metrics.sentence_bleu(text, texts) == pytest.approx(package, rel=1e-14)
    corpus = BLEU().corpus_score([text, "a red dog"], [[t, "red dogs run"] for t in texts]).score
    references = [texts, ["red dogs run", "red dogs run"]]
    ours = metrics.bleu([text, "a red dog"], references)["bleu"]
    assert ours == pytest.approx(corpus, rel=1e-14)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["leaf", "leaves", "leafs", "fox", "foxes", "woman", "women"])),
    st.sampled_from(["leaf", "leaves", "fox", "foxes", "woman", "women", "woman fox", "", "s"]),
)
def test_one_word_is_found_as_in_the_search_of_phrases(said: list[str], entry: str) -> None:
    found = words.names_concept(" ".join(said), [entry])
    assert found == bool(words.phrase_spans(said, entry))
