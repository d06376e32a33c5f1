"""Table 2: methods on the same units, from files to rows with known answers."""

import numpy as np
import pytest

from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, read_json, write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.describers import plan as describers
from milan_core.describers import retrieval
from milan_core.experiments.baselines import methods, plan
from milan_core.experiments.baselines import tables as table2
from milan_core.experiments.baselines.options import MethodFacts
from milan_core.experiments.baselines.section import claims, concept_accuracy, headline
from milan_core.experiments.baselines.step import MethodTable, ScoreMethods
from milan_core.experiments.generalization.options import HELD_OUT, TrialFacts
from milan_core.plan.checks import parse_config
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.tables import SCORES

from .. import trial_files
from ..trial_files import features


@pytest.fixture
def fields(tmp_path):
    """Network `b` described by a captioner trained on network `a`: four of six are right."""
    rows = [("netdissect", "c", u, c, int(u > 1)) for u, c in enumerate(trial_files.CONCEPTS)]
    labels = ("method", "layer", "unit", "description", "passes")
    write_csv(tmp_path / "labels.csv", labels, rows)
    return trial_files.scored_fields(tmp_path, tested=(5,)) | {
        "model": "b",
        "descriptions": trial_files.descriptions(tmp_path / "descriptions.csv"),
        "beams": trial_files.beams(tmp_path / "beams.safetensors", first="bird"),
        "baselines": trial_files.methods(tmp_path / "b.csv", "greedy", "whole_image"),
        "features": features(tmp_path / "b/f.safetensors"),
        "train_features": [features(tmp_path / "a/f.safetensors", seed=1)],
        "labels": tmp_path / "labels.csv",
    }


def score(fields, folder, **change):
    outputs = {name: folder / f"{name}.csv" for name in ("scores", "units")}
    step = ScoreMethods(**{**fields, **outputs, "facts": folder / "facts.json", **change})
    step.run(Compute())
    rows = read_csv(step.scores)
    return {(row["method"], row["metric"]): float(row["value"] or "nan") for row in rows}


def test_methods_have_their_known_scores(fields, tmp_path):
    values = score(fields, tmp_path / "out")
    assert values["retrieval", "concept_accuracy"] == 1.0, "each concept has a training unit"
    assert values["netdissect", "concept_accuracy"] == 1.0
    assert values["beam", "concept_accuracy"] == pytest.approx(2 / 6), "the likeliest text"
    assert values["netdissect", "concept_accuracy:lead-of-pmi"] == pytest.approx(-2 / 6)
    assert not any(method in ("pmi", "greedy") for method, _ in values), "scored by the trial"
    units = read_csv(tmp_path / "out/units.csv", methods.UNITS)
    said = {(row["method"], row["unit"]): row["description"] for row in units}
    assert said["retrieval", "5"] == "a bird", "unit 5 of `a` may not be retrieved, unit 3 is"
    assert said["greedy", "0"] == "dog"
    assert read_json(tmp_path / "out/facts.json") == {
        "manifest": "manifest-1",
        "passes": {"netdissect": pytest.approx(4 / 6)},
    }


def test_units_that_show_nothing_are_left_out_and_counted(fields, tmp_path):
    trial_files.silence(fields["descriptions"], {2: "dead", 5: "saturated"})
    outputs = {name: tmp_path / f"out/{name}.csv" for name in ("scores", "units")}
    step = ScoreMethods(**fields, **outputs, facts=tmp_path / "out/facts.json")
    assert step.run(Compute()) == {"scored": 4, "silent": 2}
    units = read_csv(tmp_path / "out/units.csv", methods.UNITS)
    assert {row["unit"] for row in units} == {"0", "1", "3", "4"}, "of every method"
    assert read_json(tmp_path / "out/facts.json")["passes"] == {"netdissect": 2 / 4}


def test_variants_are_further_methods_of_the_table_and_controls_are_not(fields, tmp_path):
    right = tmp_path / "right.csv"
    rows = [("c", unit, concept) for unit, concept in enumerate(trial_files.CONCEPTS)]
    write_csv(right, ("layer", "unit", "description"), rows)
    plain = score(fields, tmp_path / "plain")
    more = {"named": ["again"], "tables": [right]}
    values = score(fields, tmp_path / "out", **more)
    assert {key: values[key] for key in plain} == pytest.approx(plain, nan_ok=True)
    assert {method for method, _ in values} - {method for method, _ in plain} == {"again"}
    assert values["again", "concept_accuracy:lead-of-pmi"] == pytest.approx(-2 / 6)
    main = [("pmi", "concept_accuracy", 4 / 6, 0.5, 0.8, 6, 3, "")]
    control = [("whole_image", "concept_accuracy", 1 / 6, 0.1, 0.3, 6, 3, "")]
    write_csv(tmp_path / "base.csv", SCORES, main + control)
    names = ("scores.csv", "units.csv", "facts.json")
    files = [tmp_path / "base.csv", *(tmp_path / "out" / name for name in names)]
    rows = table2.table2([table2.read_trial(facts("b"), *files)], Bootstrap(0, 200))
    assert rows[-1]["method"] == "again"
    assert 0 < rows[-1]["accuracy_lead_holm"] <= 1
    assert "whole_image" not in [row["method"] for row in rows]
    with pytest.raises(UserError, match=r"variants\.greedy: Table 2 has a method of this name"):
        score(fields, tmp_path / "twice", named=["greedy"], tables=[right])


def test_a_variant_with_a_place_in_the_table_has_one_row_and_one_test(fields, tmp_path):
    right = tmp_path / "right.csv"
    rows = [("c", unit, concept) for unit, concept in enumerate(trial_files.CONCEPTS)]
    write_csv(right, ("layer", "unit", "description"), rows)
    score(fields, tmp_path / "out", named=["pool"], tables=[right])
    main = [("pmi", "concept_accuracy", 4 / 6, 0.5, 0.8, 6, 3, "")]
    write_csv(tmp_path / "base.csv", SCORES, main)
    names = ("scores.csv", "units.csv", "facts.json")
    files = [tmp_path / "base.csv", *(tmp_path / "out" / name for name in names)]
    rows = table2.table2([table2.read_trial(facts("b"), *files)], Bootstrap(0, 200))
    methods = [row["method"] for row in rows]
    assert methods.count("pool") == 1
    assert len(methods) == len(set(methods))
    tested = [row for row in rows if row.get("accuracy_lead_holm", "") != ""]
    lowest = min(tested, key=lambda row: row["accuracy_lead_p"])
    expected = min(1, len(tested) * lowest["accuracy_lead_p"])
    assert lowest["accuracy_lead_holm"] == pytest.approx(expected)


def test_features_of_two_encoders_are_not_compared(fields, tmp_path):
    other = features(tmp_path / "a/f.safetensors", encoder="other")
    with pytest.raises(UserError, match="'b' have encoder 'e', those of 'a' 'other'"):
        score(fields, tmp_path / "out", train_features=[other])


def test_labels_of_another_network_are_refused(fields, tmp_path):
    columns = ("method", "layer", "unit", "description")
    write_csv(tmp_path / "labels.csv", columns, [("netdissect", "d", 0, "dog")])
    with pytest.raises(UserError, match=r"labels\.csv \(netdissect\): 6 \(such as .* of the units"):
        score(fields, tmp_path / "out")


def test_nearest_and_typical():
    training = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert retrieval.nearest(np.array([[0.9, 0.1], [0.2, 0.7]]), training).tolist() == [1, 0]
    assert retrieval.nearest(np.zeros((0, 2)), training).tolist() == []
    with pytest.raises(UserError, match="no training unit"):
        retrieval.nearest(training, training[:0])
    assert retrieval.typical(["dogs", "brown dogs", "grass"]) == "dogs"
    assert retrieval.typical(["sky", "sea"]) == "sky"


def facts(test):
    sides = {"train_side": "a", "test_side": test, "primary": True}
    return TrialFacts(
        experiment=HELD_OUT, split=f"without_{test}", train=["a"], test=test, seed=0, **sides
    )


@pytest.fixture
def tabled(fields, tmp_path):
    """The fields of the table over networks `b` and `c`, which have the same scores."""
    folders = [tmp_path / "results" / name for name in "bc"]
    for folder in folders:
        score(fields, folder)
        rows = [
            (m, "concept_accuracy", v, v - 0.1, v + 0.1, 6, 3, "")
            for m, v in (("pmi", 4 / 6), ("greedy", 2 / 6))
        ]
        rows.append(("greedy", "concept_accuracy:lead-of-pmi", 2 / 6, 0.1, 0.5, 6, 3, 0.2))
        write_csv(folder / "base.csv", SCORES, rows)
    names = {"scores": "base.csv", "methods": "scores.csv", "units": "units.csv"}
    names["facts"] = "facts.json"
    return {"trials": [facts("b"), facts("c")]} | {
        field: [folder / name for folder in folders] for field, name in names.items()
    }


def test_table2_from_files(tabled, tmp_path):
    out = tmp_path / "baselines"
    MethodTable(
        **tabled,
        evidence={"methods": ["netdissect"], "labels": "scenes", "same_images": False},
        **{name: out / f"{name}.csv" for name in ("table", "summary", "table2")},
        accuracy=out / "accuracy.svg",
        section=out / "section.json",
    ).run(Compute())
    rows = {(row["model"], row["method"]): row for row in read_csv(out / "table2.csv")}
    assert float(rows["b", "netdissect"]["accuracy_lead"]) == pytest.approx(-2 / 6)
    assert float(rows["b", "netdissect"]["passes"]) == pytest.approx(4 / 6)
    pooled = rows[table2.ALL, "netdissect"]
    assert (pooled["n"], pooled["concept_accuracy"]) == ("12", "1.0")
    lead = [float(pooled[f"accuracy_lead{end}"]) for end in ("_low", "", "_high")]
    assert lead[1] == pytest.approx(-2 / 6)
    assert lead == sorted(lead)
    assert rows[table2.ALL, "pmi"]["accuracy_lead"] == ""
    assert list(read_csv(out / "table.csv")[0])[:5] == list(table2.TABLE[:5])
    section = read_section(out / "section.json")
    assert [item.path for item in section.items] == ["table2.csv", "accuracy.svg"]
    text = " ".join(section.paragraphs)
    assert "a ceiling on what labels can know, not rivals" in text
    assert "A formula" not in text, "no method of this run writes formulas"
    assert "other scenes (scenes)" in text
    assert "CLIP-Dissect is not part of this run" in text


def test_other_manifests_are_not_compared(tabled):
    files = [tabled[name] for name in ("trials", "scores", "methods", "units", "facts")]
    trials = [table2.read_trial(*entry) for entry in zip(*files, strict=True)]
    other = MethodFacts(manifest="manifest-2", passes={})
    apart = [trials[0], table2.Trial(facts("c"), trials[1].scores, trials[1].units, other)]
    bootstrap = Bootstrap(0, 200)
    rows = table2.table2(apart, bootstrap)
    assert table2.ALL not in {row["model"] for row in rows}, "two manifests are not pooled"
    same = [trials[0], table2.Trial(facts("b"), trials[1].scores, trials[1].units, other)]
    with pytest.raises(UserError, match=r"'b' was probed with manifest manifest-2"):
        table2.table2(same, bootstrap)


def test_claims_follow_the_adjusted_p():
    def row(model, method, value, low, high, holm=0.01):
        ends = {"bert_lead": (low + high) / 2, "bert_lead_low": low, "bert_lead_high": high}
        ends |= {"bert_lead_p": holm / 2, "bert_lead_holm": holm}
        return {"model": model, "method": method, "bert_score-f": value, **ends}

    rows = [row(m, "pmi", 0.5, 0, 0) | {"bert_lead_low": ""} for m in ("x", "y")]
    rows += [row("x", "greedy", 0.4, 0.05, 0.2), row("y", "greedy", 0.6, -0.2, -0.05)]
    text = " ".join(claims(rows, "bert_score-f", "bert"))
    assert "PMI is clearly ahead on x; is clearly behind on y." in text
    assert "PMI ahead in every row; this disagrees with the paper" in text
    rows[-1] = row("y", "greedy", 0.4, 0.05, 0.2, holm=0.06)
    text = " ".join(claims(rows, "bert_score-f", "bert"))
    assert "shows no clear difference on y (there only a difference of 0.107 BERTScore F" in text
    assert "this does not confirm the paper" in text
    rows[-1] = row("y", "greedy", 0.4, 0.05, 0.2)
    assert "agrees with the paper" in " ".join(claims(rows, "bert_score-f", "bert"))
    rows += [row("x", "netdissect", 0.45, 0.01, 0.1), row("y", "netdissect", 0.3, 0.1, 0.3)]
    assert "here it is reversed on x" in " ".join(claims(rows, "bert_score-f", "bert"))
    rows[-2] = row("x", "netdissect", 0.4, 0.01, 0.1)
    text = " ".join(claims(rows, "bert_score-f", "bert"))
    assert "p(d|E) above NetDissect: here they are equal on x." in text
    assert "reversed" not in text


def test_variants_and_the_pool_are_compared_too():
    """A method whose p is adjusted can be the best, and can be one that PMI is ahead of."""

    def row(method, bert, accuracy, holm):
        ends = {"bert_lead": 0.05, "bert_lead_low": 0.01, "bert_lead_high": 0.09}
        ends |= {"bert_lead_p": holm, "bert_lead_holm": holm}
        return {
            "model": "x",
            "method": method,
            "bert_score-f": bert,
            "concept_accuracy": accuracy,
        } | (ends if holm else {})

    rows = [row("pmi", 0.7, 0.6, 0), row("pool", 0.65, 0.8, 0.01), row("reader", 0.65, 0.9, 0.2)]
    rows += [row("constant_oracle", 0.3, 0.95, 0), row("shuffled_masks", 0.3, 0.97, 0)]
    text = " ".join(claims(rows, "bert_score-f", "bert"))
    assert "PMI against pool and verify (paired by unit): PMI is clearly ahead on x." in text
    assert "PMI against reader (paired by unit): PMI shows no clear difference on x" in text
    assert "constant" not in text
    assert headline(rows, "bert_score-f").endswith("pool and verify 0.650, reader 0.650.")
    [best] = concept_accuracy(rows)
    assert best.endswith("x: reader 90.0%, PMI 60.0%.")


def test_the_best_of_equal_methods_is_pmi():
    rows = [{"model": "x", "method": m, "concept_accuracy": 0.5} for m in ("greedy", "pmi")]
    assert concept_accuracy(rows) == [
        "Concepts named correctly, best method. x: PMI is best with 50.0%."
    ]


def configured(root, **change):
    return parse_config(merge(load([root / "config/config.yaml"]), {"baselines": change}))


def test_plan_of_the_default(root):
    config = configured(root)
    held_out = [name for name in config.models if name in config.corpus]
    assert {t.split for t in plan.compared(config)} == {f"without_{name}" for name in held_out}
    assert plan.labeled(config) == held_out
    assert describers.label_dataset(config, "resnet_mini") == "stickers_test"
    assert describers.needs_masks(config)
    evidence = plan.evidence(config)
    assert (evidence.labels, evidence.same_images) == ("stickers_test", False)
    assert plan.evidence(configured(root, dataset=None)).same_images
    assert plan.labeled(configured(root, methods=[])) == []
    words = {"path": "clip", "concepts": "words.txt"}
    assert not describers.needs_masks(
        configured(root, methods=["clip_dissect"], clip_dissect=words)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset": "stickers_tset"}, "did you mean 'stickers_test'"),
        (
            {"methods": ["clip_dissect"], "clip_dissect": {"judge": False}},
            "clip_dissect.path: no CLIP is given",
        ),
        ({"concepts": {"source": "folder"}}, "concepts: source 'folder' needs a path"),
        ({"published": {"resnet": {"compexp": "x"}}}, "unknown model 'resnet'"),
        ({"methods": ["milan"]}, "baselines.methods"),
    ],
)
def test_mistakes(root, change, words):
    with pytest.raises(UserError, match=words):
        configured(root, **change)


def test_labels_need_ground_truth_or_masks(root):
    mine = {"kind": "folder", "options": {"path": "."}}
    change = {"dataset_zoo": {"mine": mine}, "baselines": {"dataset": "mine"}}
    with pytest.raises(UserError, match="'mine' of kind 'folder' has no ground truth"):
        parse_config(merge(load([root / "config/config.yaml"]), change))
