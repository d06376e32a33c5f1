"""Labels of other methods on data whose answer is known."""

from __future__ import annotations

import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.clip_dissect import (
    ClipDissect,
    concept_probabilities,
    read_words,
    soft_wpmi,
)
from milan_core.describers.invert import auc_labels, mann_whitney_p, twice_ranks
from milan_core.describers.options import ClipDissectOptions, InvertOptions
from milan_core.describers.published import read_published
from milan_core.describers.wording import compexp_text, concept_text, formula_label, netdissect_text
from milan_core.ops.formulas import AND, AND_NOT, OR


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("((water-s OR river) AND (NOT blue-c))", "water or river and not blue"),
        ("(mountain_snowy-s OR Sky)", "mountain snowy or sky"),
        ("zigzagged-t", "zigzagged"),
        ("t-shirt", "shirt"),
        ("cat", "cat"),
        ("", ""),
    ],
)
def test_compexp_text(label, text):
    assert compexp_text(label) == text


@pytest.mark.parametrize(
    ("label", "text"),
    [("sky-color-c", "sky"), ("dog", "dog"), ("tall building-t", "tall building")],
)
def test_netdissect_text(label, text):
    assert netdissect_text(label) == text


def test_formula_labels():
    assert formula_label([OR, AND, -1], ["a", "b"]) == "(a AND b)"
    assert formula_label([OR, OR, AND_NOT], ["a", "b", "c"]) == "((a OR b) AND (NOT c))"
    assert formula_label([OR], ["only"]) == "only"
    assert formula_label([-1, -1], []) == ""
    assert concept_text("ceiling_tiles") == "ceiling tiles"


def auc_by_pairs(values, holds):
    """The definition: the share of (image with, image without) pairs in the right order."""
    pairs = [(a > b) + 0.5 * (a == b) for a in values[holds] for b in values[~holds]]
    return sum(pairs) / len(pairs)


def truth_of(parts, presence):
    holds = presence[:, parts[0][1]].copy()
    for join, which in parts[1:]:
        other = presence[:, which]
        holds = {OR: holds | other, AND: holds & other, AND_NOT: holds & ~other}[join]
    return holds


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_auc_is_the_share_of_ordered_pairs(seed):
    rng = np.random.default_rng(seed)
    presence = rng.random((30, 5)) < 0.3
    values = rng.integers(0, 6, (2, 30)).astype(float)  # many ties
    for row, label in enumerate(auc_labels(values, presence, InvertOptions(beam=3, length=3))):
        if label.parts:
            holds = truth_of(label.parts, presence)
            assert label.auc == pytest.approx(auc_by_pairs(values[row], holds), abs=1e-12)
            assert holds.sum() <= 15


def test_wide_beam_finds_the_best_formula_of_two():
    rng = np.random.default_rng(4)
    presence = rng.random((40, 4)) < 0.3
    values = rng.normal(size=(3, 40))
    every = [((OR, c),) for c in range(4)]
    every += [
        ((OR, a), (join, b))
        for a, b in itertools.permutations(range(4), 2)
        for join in (OR, AND, AND_NOT)
    ]
    for row, label in enumerate(auc_labels(values, presence, InvertOptions(beam=100, length=2))):
        shares = [(truth_of(parts, presence), parts) for parts in every]
        best = max(auc_by_pairs(values[row], h) for h, _ in shares if 1 <= h.sum() <= 20)
        assert label.auc == pytest.approx(best, abs=1e-12)


def test_planted_concept_and_silent_unit():
    presence = np.zeros((20, 3), bool)
    presence[:5, 1] = True
    presence[::2, 0] = True
    values = np.stack([np.where(presence[:, 1], 9.0, np.arange(20) / 10), np.zeros(20)])
    planted, silent = auc_labels(values, presence, InvertOptions())
    assert (planted.parts, planted.auc) == (((OR, 1),), 1.0)
    assert planted.p < 0.001
    assert (silent.parts, silent.auc, silent.p) == ((), 0.5, 1.0)


def test_too_rare_and_too_common_concepts_are_no_label():
    presence = np.zeros((20, 2), bool)
    presence[0, 0] = True  # one image: less than the least share
    presence[:12, 1] = True  # more than half
    values = np.arange(20, 0, -1)[None].astype(float)
    assert auc_labels(values, presence, InvertOptions(min_share=0.1))[0].parts == ()


def test_ranks_and_p_of_a_small_table():
    """Values 1 2 3 4 against 5 6: U = 8 of 8 pairs; with the normal approximation z = 1.62."""
    twice = twice_ranks(np.array([1.0, 2, 3, 4, 5, 6]))
    assert twice.tolist() == [2, 4, 6, 8, 10, 12]
    assert twice_ranks(np.array([1.0, 1, 2])).tolist() == [3, 3, 6]
    z = (8 - 4 - 0.5) / math.sqrt(2 * 4 * 7 / 12)
    assert mann_whitney_p(1.0, 2, twice) == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)))


def test_soft_wpmi_by_hand():
    similarity = np.array([[0.3, 0.1], [0.1, 0.3], [0.2, 0.2]])
    activations = np.array([[3.0, 1, 2], [0, 5, 1]])
    chances = concept_probabilities(similarity)
    assert chances.sum(1) == pytest.approx(1)
    assert chances[0, 0] == pytest.approx(1 / (1 + math.exp(-2)))

    def log_p(rows, concept):
        shares = (0.998, 0.97)
        return sum(
            math.log(1 + p * (chances[x, concept] - 1) + 1e-7)
            for p, x in zip(shares, rows, strict=True)
        )

    logs = np.array([[log_p(rows, c) for c in (0, 1)] for rows in ((0, 2), (1, 2))])
    prior = np.log(np.exp(logs).mean(0))
    scores = soft_wpmi(activations, similarity, top=2, weight=0.5)
    assert scores == pytest.approx(logs - 0.5 * prior)
    assert scores.argmax(1).tolist() == [0, 1]


def test_a_layer_of_one_unit_has_no_prior():
    """Less the mean over that unit alone every word scored 0, and the first one was the label."""
    similarity = np.full((40, 5), 0.1)
    similarity[:10, 3] = 0.9
    activations = np.arange(40, 0, -1.0)[None]
    scores = soft_wpmi(activations, similarity, top=10, weight=1.0)
    assert scores.argmax(1).tolist() == [3]
    assert scores == pytest.approx(soft_wpmi(activations, similarity, top=10, weight=0.0))


def test_words_are_those_of_the_masks_of_each_network(monkeypatch):
    """Of two networks with masks of their own the second one was labeled with the first's words."""
    describer, seen = ClipDissect(None, ClipDissectOptions()), []
    monkeypatch.setattr(ClipDissect, "_look", lambda self, _: seen.append(list(self._words)))
    monkeypatch.setattr(NetworkUnits, "activations", lambda _: {})
    for names in (("dog", "cat"), ("sky", "sea")):
        units = NetworkUnits.__new__(NetworkUnits)
        units.concepts = SimpleNamespace(names=names)
        describer.describe(units)
    assert seen == [["dog", "cat"], ["sky", "sea"]]


def test_word_lists(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("dog\n\ncat \ndog\n")
    assert read_words(path) == ["dog", "cat"]
    path.write_text("dog\n")
    with pytest.raises(UserError, match="at least two"):
        read_words(path)
    with pytest.raises(UserError, match=r"list of concepts .* not found"):
        read_words(tmp_path / "none.txt")


def netdissect_report(folder, name, units):
    path = folder / f"{name}-10" / "report.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"units": units}))
    return path


def test_published_netdissect(tmp_path):
    units = [{"unit": 0, "label": "sky-color-c", "iou": 0.1}, {"unit": 1, "label": "dog"}]
    netdissect_report(tmp_path, "alexnet-imagenet-netpqc-conv5", units)
    netdissect_report(tmp_path, "resnet152-places-netpqc-layer4", units[:1])
    found = read_published("netdissect", tmp_path / "alexnet-imagenet", ["features.10"])
    assert found == {("features.10", 0): ("sky", "sky-color-c"), ("features.10", 1): ("dog", "dog")}
    found = read_published("netdissect", tmp_path, ["layer4"])
    assert found == {("layer4", 0): ("sky", "sky-color-c")}
    with pytest.raises(UserError, match=r"features\.10, layer4, the network has the layers blocks"):
        read_published("netdissect", tmp_path, ["blocks.1"])


def test_published_compexp(tmp_path):
    rows = [(0, "((water-s OR river) AND (NOT blue-c))"), (1, "cat")]
    write_csv(tmp_path / "tally_conv1.csv", ("unit", "label"), rows)
    found = read_published("compexp", tmp_path, ["features.0"])
    assert found["features.0", 0][0] == "water or river and not blue"
    assert found["features.0", 1] == ("cat", "cat")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "no list `units`"),
        ('{"units": [{"unit": 1}]}', "lacks `unit` or `label`"),
        ('{"units": [{"unit": "x", "label": "a"}]}', "not a whole number"),
        (
            '{"units": [{"unit": 1, "label": "a"}, {"unit": 1, "label": "b"}]}',
            "labelled twice",
        ),
        ("[", "not valid JSON"),
    ],
)
def test_damaged_reports_are_refused(tmp_path, content, words):
    netdissect_report(tmp_path, "a-b-netpqc-c", []).write_text(content)
    with pytest.raises(UserError, match=words):
        read_published("netdissect", tmp_path, ["c"])
