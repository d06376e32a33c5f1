"""Analysis by ablation: every statistic on data whose answer is known."""

import dataclasses
import json
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.errors import UserError
from milan_core.experiments.analysis import curves, importance, orders, stage, tables, wording
from milan_core.experiments.analysis.criteria import STRUCTURAL, SYNTACTIC, Criterion, criteria
from milan_core.experiments.analysis.report import write_report
from milan_core.experiments.bootstrap import Bootstrap
from milan_core.experiments.sections import read_section
from milan_core.runtime.files import read_csv, write_csv
from milan_core.text import grammar
from milan_core.text.vectors import max_word_difference


def test_criteria_without_tools_are_length_and_queries():
    texts = ["Red dogs", "A wolf, a dog", "Texture", ""]
    found = {c.name: c for c in criteria(texts, None, None, {"dogs": ["dog", "wolf"]})}
    assert list(found) == ["length", "dogs"]
    assert found["length"].scores.tolist() == [2, 5, 1, 0], "punctuation is a token"
    assert found["dogs"].scores.tolist() == [1, 1, 0, 0]
    assert found["dogs"].matching.tolist() == [True, True, False, False]


class FakeParser:
    """Parses looked up in a table, as `Parser` would give them."""

    def parse(self, texts):
        known = {
            "red dogs": grammar.Parse(("red", "dogs"), ("ADJ", "NOUN"), 1),
            "dogs on dogs": grammar.Parse(("dogs", "on", "dogs"), ("NOUN", "ADP", "NOUN"), 2),
        }
        return [known[text] for text in texts]


def test_word_classes_are_counted():
    found = {c.name: c for c in criteria(["red dogs", "dogs on dogs"], FakeParser(), None, {})}
    assert {name: c.scores.tolist() for name, c in found.items()} == {
        "nouns": [1, 2],
        "verbs": [0, 0],
        "adjectives": [1, 0],
        "adpositions": [0, 1],
        "length": [2, 3],
        "parse-depth": [1, 2],
    }
    assert not found["verbs"].varies
    assert found["nouns"].varies
    assert found["nouns"].group == SYNTACTIC


def token(text, word_class, head=None, space=False):
    made = SimpleNamespace(text=text, pos_=word_class, is_space=space, children=[])
    made.head = head or made
    if head is not None:
        head.children.append(made)
    return made


def test_depth_is_that_below_the_last_root():
    first = token("Boats", "NOUN")
    deep = token("big", "ADJ", token("very", "ADV", first))
    dot = token(".", "PUNCT", first)
    last = token("dogs", "NOUN")
    red = token("red", "ADJ", last)
    parse = grammar._parse(
        [first, deep.head, deep, dot, last, red, token("  ", "SPACE", last, True)]
    )
    assert parse.depth == 1
    assert parse.tokens == ("Boats", "very", "big", ".", "dogs", "red")
    assert grammar._parse([first, deep.head, deep, dot]).depth == 2
    assert grammar._parse([token("dogs", "NOUN")]).depth == 0
    assert grammar._parse([]).depth == 0


def test_word_difference_is_the_largest_squared_distance():
    vectors = np.array([[1.0, 0], [0, 1], [-1, 0]], dtype=np.float32)
    assert max_word_difference(vectors) == 4
    assert max_word_difference(vectors[:2]) == 2
    assert max_word_difference(vectors[:1]) == 0


def test_the_top_fifth_never_splits_equal_scores():
    scores = np.array([0.0] * 6 + [1] * 3 + [2])
    assert Criterion("x", STRUCTURAL, scores).matching.sum() == 1, "4 of 10 is further off"
    scores = np.arange(10.0)
    assert Criterion("x", STRUCTURAL, scores).matching.tolist() == [False] * 8 + [True] * 2
    assert not Criterion("x", STRUCTURAL, np.ones(4)).matching.any()


def test_orders_follow_scores_and_shuffle_ties():
    scores = np.array([0.0, 2, 1, 2, 0, 0])
    seen = {tuple(orders.by_score(scores, 0, "x", trial).tolist()) for trial in range(200)}
    wanted = {
        (*a, 2, *b)
        for a in [(1, 3), (3, 1)]
        for b in product((0, 4, 5), repeat=3)
        if len({*b}) == 3
    }
    assert seen == wanted, "all 12 orders of the ties, and no other"
    assert sorted(orders.at_random(6, 0, 1).tolist()) == list(range(6))


def test_matched_orders_take_as_many_units_of_every_layer():
    layers = ["a"] * 5 + ["b"] * 3 + ["a"] * 2
    order = orders.at_random(10, 3)
    different = 0
    for trial in range(20):
        matched = orders.matched_to(order, layers, 0, trial)
        assert sorted(matched.tolist()) == list(range(10))
        assert [layers[i] for i in matched] == [layers[i] for i in order]
        different += int(not np.array_equal(matched, order))
    assert different >= 18


def test_steps_are_those_of_the_paper():
    fractions = [place / 50 for place in range(10)]
    published = [0, 20, 40, 61, 81, 102, 122, 143, 163, 184]
    assert orders.steps_of(fractions, 1024) == published
    assert orders.steps_of([0.29], 100) == [29]


def test_area_is_the_mean_height():
    flat = curves.area([0, 0.1, 0.4], np.array([[0.5, 0.5, 0.5]]))
    assert flat == pytest.approx([0.5])
    falling = curves.area([0, 0.5, 1], np.array([[1.0, 0.5, 0], [1, 0, 0]]))
    assert falling == pytest.approx([0.5, 0.25])


def test_sign_flips_count_patterns():
    # Of 2^4 patterns only all-plus and all-minus reach the observed sum.
    assert curves.sign_flip_p(np.ones(4), 0) == pytest.approx(2 / 16)
    assert curves.sign_flip_p(np.array([1.0, -1]), 0) == 1
    assert curves.sign_flip_p(np.ones(40), 0) == pytest.approx(1 / 10_001)


def test_outlier_p_is_the_t_prediction():
    sample = np.array([-1.0, 0, 1])  # mean 0, deviation 1; scale sqrt(4/3), 2 degrees of freedom
    t = 2 / np.sqrt(4 / 3)
    closed = 1 - t / np.sqrt(2 + t * t)  # survival of Student's t with 2 degrees, both sides
    assert curves.outlier_p(2.0, sample) == pytest.approx(closed)
    assert curves.outlier_p(0.0, sample) == 1
    assert curves.outlier_p(3.0, np.ones(5)) == 0
    assert curves.outlier_p(1.0, np.ones(5)) == 1


def test_outlier_p_of_random_orders_is_level():
    draw = np.random.default_rng(0)
    p = [curves.outlier_p(x[0], x[1:]) for x in draw.normal(size=(2000, 21))]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_holm():
    assert curves.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert curves.holm([0.5, 0.9]) == [1, 1]
    assert curves.holm([]) == []


def test_comparison_of_known_areas():
    random = np.array([0.5, 0.6, 0.4, 0.5, 0.5, 0.5])
    found = curves.compare(np.array([0.2, 0.3]), random, Bootstrap(0), "x")
    assert found.difference == pytest.approx(-0.25), "criterion trials 0, 1, 0, 1, 0, 1"
    assert -0.4 < found.low < -0.25 < found.high < -0.1
    assert found.paired_p == pytest.approx(2 / 64)
    assert found.share_worse == 0
    assert found.outlier_p < 0.05
    assert curves.compare(random, random, Bootstrap(0), "x").difference == 0


def test_ranks_and_correlations():
    assert importance.ranks(np.array([3.0, 1, 3, 2])).tolist() == [3.5, 1, 3.5, 2]
    x = np.arange(6.0)
    assert importance.spearman(x, np.exp(x)) == pytest.approx(1)
    assert importance.spearman(x, -x) == pytest.approx(-1)
    assert np.isnan(importance.spearman(x, np.ones(6)))


def test_correlation_within_layers_ignores_differences_between_them():
    layers = np.array(["a"] * 4 + ["b"] * 4)
    scores = np.array([0.0, 1, 2, 3, 10, 11, 12, 13])
    # Higher in layer b, but falling with the score in each layer.
    values = np.array([3.0, 2, 1, 0, 13, 12, 11, 10])
    assert importance.spearman(scores, values) > 0.5
    assert importance.within_layers(scores, values, layers) == pytest.approx(-1)
    found = importance.correlate(scores, values, layers.tolist(), 0, "x")
    assert found.within == pytest.approx(-1)
    assert found.within_low == pytest.approx(-1)
    assert found.overall_low < found.overall < found.overall_high


UNITS = 60  # in each of two layers


class KnownNetwork(nn.Module):
    """Class 1 where unit 0 of layer `one` is positive; all other units play no part."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, UNITS, 1, bias=False)
        self.two = nn.Conv2d(UNITS, UNITS, 1, bias=False)
        self.fc = nn.Linear(UNITS, 2)
        with torch.no_grad():
            self.one.weight.fill_(1)
            self.two.weight.copy_(torch.eye(UNITS)[:, :, None, None])
            self.fc.weight.zero_()
            self.fc.weight[1, 0] = 1
            self.fc.bias.copy_(torch.tensor([0.01, 0.0]))

    def forward(self, x):
        return self.fc(self.two(self.one(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """A network analysed from files: only the units described as keys matter."""
    from milan_core.data.build import build_dataset

    folder = tmp_path_factory.mktemp("analysis")
    pixels = np.full((40, 8, 8, 3), 40, dtype=np.uint8)
    pixels[20:] = 200
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "labels.npy", np.arange(40) // 20)
    paths = {name: str(folder / f"{name}.npy") for name in ("pixels", "labels")}
    options = {"path": paths["pixels"], "labels": paths["labels"], "classes": ["dark", "light"]}
    data = folder / "data"
    build_dataset("known", {"kind": "arrays", "options": options}, {}, data, 0)
    rows = [
        (layer, unit, "Key" if unit == 0 else "Thing" + " thing" * (unit % 2), 0)
        for layer in ("one", "two")
        for unit in range(UNITS)
    ]
    write_csv(folder / "descriptions.csv", ("layer", "unit", "description", "logp"), rows)
    (folder / "net.py").write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(__file__).rpartition('/')[0]!r})\n"
        "from test_analysis import KnownNetwork\n"
    )
    model = {
        "name": "known",
        "factory": f"{folder}/net.py:KnownNetwork",
        "weights": {"source": "factory"},
        "layers": ["one", "two"],
        "input": {"size": 8, "mean": [0.5] * 3, "std": [0.5] * 3},
        "batch_size": 8,
    }
    options = {
        "images": None,
        "fractions": [0.0, 0.02, 0.04, 0.06],
        "ties": 5,
        "trials": 20,
        "queries": {"key": ["key"], "lost": ["nothing"]},
        "replacement": "zero",
        "batch_size": 64,
    }
    settings = stage.settings_from(json.loads(json.dumps(options)))
    out = folder / "analyze" / "known"
    common = {"parser": None, "vectors": None, "seed": 0, "device": "cpu"}
    table = folder / "descriptions.csv"
    stage.analyze_network(model, data, table, settings, **common, out=out)
    write_report(["known"], folder / "analyze", 0)
    return SimpleNamespace(
        folder=folder, model=model, data=data, table=table, settings=settings, common=common
    )


def test_the_units_that_matter_are_found(analysed):
    folder = analysed.folder / "analyze"
    single = read_csv(folder / "known" / "importance.csv")
    lost = {(row["layer"], int(row["unit"])): float(row["importance"]) for row in single}
    assert {unit for unit, value in lost.items() if value > 0} == {("one", 0), ("two", 0)}
    assert lost["one", 0] == 0.5
    rows = {row["criterion"]: row for row in read_csv(folder / "summary.csv")}
    key = rows["key"]
    # Nothing ablated: 1; both keys, which come first, and whatever follows: 0.5.
    assert float(key["area"]) == pytest.approx((0.02 * 0.75 + 0.04 * 0.5) / 0.06)
    assert float(key["random_difference"]) < 0
    assert float(key["layer_matched_outlier_p"]) < 0.05
    assert int(key["matching"]) == 2
    assert rows["lost"]["area"] == "", "a query that no description meets has no order"
    found = {row["criterion"]: row for row in read_csv(folder / "correlations.csv")}
    assert float(found["key"]["within"]) == pytest.approx(1)
    shares = read_csv(folder / "shares.csv")
    assert {row["layer"]: float(row["share"]) for row in shares if row["criterion"] == "key"} == {
        "one": pytest.approx(1 / UNITS),
        "two": pytest.approx(1 / UNITS),
    }


def test_curves_have_every_order(analysed):
    rows = read_csv(analysed.folder / "analyze/known/ablation.csv", stage.COLUMNS)
    trials = {}
    for row in rows:
        trials.setdefault((row["criterion"], row["order"]), set()).add(int(row["trial"]))
    assert {key: len(value) for key, value in trials.items()} == {
        ("random", "random"): 20,
        ("length", "criterion"): 5,
        ("length", "layer_matched"): 20,
        ("key", "criterion"): 5,
        ("key", "layer_matched"): 20,
    }
    assert {(row["fraction"], row["n_ablated"]) for row in rows} == {
        ("0.0", "0"),
        ("0.02", "2"),
        ("0.04", "4"),
        ("0.06", "7"),
    }


def test_equal_scores_may_stay_in_the_published_order(analysed, monkeypatch):
    """One order per criterion, by layer and unit among equals; its report has no interval."""
    settings = dataclasses.replace(analysed.settings, tie_order="dataset", trials=2, ties=2)
    out = analysed.folder / "published" / "known"
    seen = []
    monkeypatch.setattr(stage, "by_place", lambda s: seen.append(orders.by_place(s)) or seen[-1])
    stage.analyze_network(
        analysed.model, analysed.data, analysed.table, settings, **analysed.common, out=out
    )
    rows = read_csv(out / "ablation.csv", stage.COLUMNS)
    trials = {(row["criterion"], row["order"], row["trial"]) for row in rows}
    assert {t for t in trials if t[:2] == ("key", "criterion")} == {("key", "criterion", "0")}
    assert {t for t in trials if t[1] == "layer_matched"} >= {("key", "layer_matched", "1")}
    keys = [order.tolist() for order in seen if order.tolist()[:2] == [0, UNITS]]
    assert keys[0] == [0, UNITS, *range(1, UNITS), *range(UNITS + 1, 2 * UNITS)]
    write_report(["known"], out.parent, 0)
    key = {row["criterion"]: row for row in read_csv(out.parent / "summary.csv")}["key"]
    assert key["area_low"] == key["area_high"] == ""
    text = " ".join(read_section(out.parent / "section.json").paragraphs)
    assert "one order per criterion, in which early layers come first" in text


def test_section_says_what_the_tables_say(analysed):
    section = read_section(analysed.folder / "analyze/section.json")
    assert section.name == "analyze"
    # Orders by "key" and by length; a query without hits has none.
    assert "Of 2 orders (1 networks), 1 stand out" in section.paragraphs[0]
    assert "key -" in section.paragraphs[1]
    assert "accuracy 1.000 with all units" in section.paragraphs[1]
    assert any("The paper reports" in text for text in section.paragraphs)
    assert {item.path for item in section.items} >= {"known/curves.svg", "summary.csv"}


def test_the_same_seed_gives_the_same_bytes(analysed):
    again = analysed.folder / "again" / "known"
    stage.analyze_network(
        analysed.model,
        analysed.data,
        analysed.table,
        analysed.settings,
        **analysed.common,
        out=again,
    )
    write_report(["known"], again.parent, 0)
    first = analysed.folder / "analyze"
    for path in sorted(first.rglob("*.*")):
        assert path.read_bytes() == (again.parent / path.relative_to(first)).read_bytes(), path


def test_descriptions_of_other_units_are_refused(analysed):
    rows = read_csv(analysed.table)[:-1]
    wrong = analysed.folder / "wrong.csv"
    write_csv(wrong, list(rows[0]), [list(row.values()) for row in rows])
    with pytest.raises(UserError, match=r"wrong\.csv"):
        stage.analyze_network(
            analysed.model,
            analysed.data,
            wrong,
            analysed.settings,
            **analysed.common,
            out=analysed.folder / "none",
        )
    with pytest.raises(UserError, match="options"):
        stage.settings_from({"images": 3})


def claim(criterion, difference, p, matched_p=0.01):
    return wording._claim(
        {
            "criterion": criterion,
            "random_difference": difference,
            "random_outlier_p": p,
            "layer_matched_outlier_p": matched_p,
        }
    )


def test_claims_of_the_paper_are_judged():
    assert "Adjectives: as in the paper (-0.100" in claim("adjectives", -0.1, 0.01)
    assert "opposite of the paper" in claim("adjectives", 0.1, 0.01)
    assert "cannot be told from random" in claim("adpositions", -0.1, 0.2)
    assert "as in the paper, but no longer" in claim("word-difference", 0.1, 0.01, 0.3)
    assert claim("nouns", 0.1, 0.01) == ""


def test_tables_refuse_files_of_different_units(analysed, tmp_path):
    source = analysed.folder / "analyze" / "known"
    for name in ("ablation.csv", "criteria.csv"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    lines = (source / "importance.csv").read_text().splitlines()
    (tmp_path / "importance.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(UserError, match=r"differ from those of importance\.csv"):
        tables.read_analysis("known", tmp_path)
