"""Table 2: methods on the same units, from files to rows with known answers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from milan_core.captioner.features.store import FeatureTable
from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, read_json, save_tensors, write_csv
from milan_core.describers import retrieval
from milan_core.experiments.baselines import comparison, plan
from milan_core.experiments.baselines import tables as table2
from milan_core.experiments.baselines.section import claims, write_table2_section
from milan_core.plan.checks import parse_config

CONCEPTS = ("dog", "cat", "dog", "bird", "cat", "bird")
TRUTH = ("layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept")


def features(path: Path, encoder: str = "e", seed: int = 0) -> Path:
    """Features of six units: one direction per concept, and noise."""
    random = np.random.default_rng(seed)
    place = {name: i for i, name in enumerate(sorted(set(CONCEPTS)))}
    rows = np.stack([np.eye(3)[place[name]] for name in CONCEPTS])
    array = rows[:, None] + random.normal(0, 0.05, (6, 3, 3))
    meta = {"encoder": encoder, "dataset": "manifest-1", "pooling": {"append_area": True}}
    FeatureTable({"exact": array.astype(np.float16)}, [("c", 6)], meta).save(path)
    return path


@pytest.fixture
def trial(tmp_path: Path) -> comparison.TrialFiles:
    """Network `b` described by a captioner that learnt network `a`: four of six are right."""
    for model in ("a", "b"):
        folder = tmp_path / model / "annotations"
        rows = [("c", u, f"{w} {c}", w) for u, c in enumerate(CONCEPTS) for w in ("a", "the", "my")]
        write_csv(folder / "annotations.csv", ("layer", "unit", "summary", "annotator"), rows)
        rows = [("c", u, c, "object", 0.9, 12, 1, c) for u, c in enumerate(CONCEPTS)]
        write_csv(folder / "truth.csv", TRUTH, rows)
    texts = ["a dog", "a cat", "a cat", "my bird", "a cat", "sky"]
    columns = ("layer", "unit", "description", "side")
    rows = [("c", u, text, "test") for u, text in enumerate(texts)]
    write_csv(tmp_path / "descriptions.csv", columns, rows)
    rows = [(m, "c", u, "dog") for m in ("greedy", "whole_image") for u in range(6)]
    write_csv(tmp_path / "baselines.csv", ("method", "layer", "unit", "description"), rows)
    rows = [("netdissect", "c", u, c, int(u > 1)) for u, c in enumerate(CONCEPTS)]
    write_csv(tmp_path / "labels.csv", ("method", "layer", "unit", "description", "passes"), rows)
    rows = [("a", "c", u, "test" if u == 5 else "train") for u in range(6)]
    write_csv(tmp_path / "units.csv", ("model", "layer", "unit", "side"), rows)
    captions = [["bird", text] for text in texts]
    meta = {"captions": captions, "layers": ["c"] * 6, "units": list(range(6))}
    logp = np.tile(np.array([-1, -2], np.float32), (6, 1))
    arrays = {"logp": logp, "logp_lm": np.zeros((6, 2), np.float32)}
    save_tensors(tmp_path / "beams.safetensors", "milan-beams", 1, arrays, meta)
    return comparison.TrialFiles(
        descriptions=tmp_path / "descriptions.csv",
        beams=tmp_path / "beams.safetensors",
        baselines=tmp_path / "baselines.csv",
        annotations=tmp_path / "b/annotations/annotations.csv",
        truth=[tmp_path / "b/annotations/truth.csv"],
        units=tmp_path / "units.csv",
        learnt=[tmp_path / "a/annotations/annotations.csv"],
        features=features(tmp_path / "b/features/features.safetensors"),
        learnt_features=[features(tmp_path / "a/features/features.safetensors", seed=1)],
        labels=[tmp_path / "labels.csv"],
        bertscore=[],
    )


def score(trial: comparison.TrialFiles, folder: Path) -> dict[tuple[str, str], float]:
    rows = comparison.score_methods(trial, {"bootstrap": 200}, 0, folder)
    return {(row.method, row.metric): row.value for row in rows}


def test_methods_have_their_known_scores(trial: comparison.TrialFiles, tmp_path: Path) -> None:
    values = score(trial, tmp_path / "out")
    assert values["retrieval", "concept_accuracy"] == 1.0, "each concept has a training unit"
    assert values["netdissect", "concept_accuracy"] == 1.0
    assert values["beam", "concept_accuracy"] == pytest.approx(2 / 6), "the likeliest text"
    assert values["netdissect", "concept_accuracy:lead-of-pmi"] == pytest.approx(-2 / 6)
    assert not any(method in ("pmi", "greedy") for method, _ in values), "scored by the trial"
    units = read_csv(tmp_path / "out/units.csv", comparison.UNITS)
    said = {(row["method"], row["unit"]): row["description"] for row in units}
    assert said["retrieval", "5"] == "a bird", "unit 5 of `a` may not be retrieved, unit 3 is"
    assert said["greedy", "0"] == "dog"
    assert read_json(tmp_path / "out/facts.json") == {
        "manifest": "manifest-1",
        "passes": {"netdissect": pytest.approx(4 / 6)},
    }


def test_features_of_two_encoders_are_not_compared(
    trial: comparison.TrialFiles, tmp_path: Path
) -> None:
    other = features(tmp_path / "a/features/features.safetensors", encoder="other")
    with pytest.raises(UserError, match="'b' have encoder 'e', those of 'a' 'other'"):
        score(dataclasses.replace(trial, learnt_features=[other]), tmp_path / "out")


def test_labels_of_another_network_are_refused(
    trial: comparison.TrialFiles, tmp_path: Path
) -> None:
    columns = ("method", "layer", "unit", "description")
    write_csv(tmp_path / "labels.csv", columns, [("netdissect", "d", 0, "dog")])
    with pytest.raises(UserError, match=r"labels\.csv \(netdissect\): 6 of the units"):
        score(trial, tmp_path / "out")


def test_nearest_and_typical() -> None:
    training = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert retrieval.nearest(np.array([[0.9, 0.1], [0.2, 0.7]]), training).tolist() == [1, 0]
    assert retrieval.nearest(np.zeros((0, 2)), training).tolist() == []
    with pytest.raises(UserError, match="no training unit"):
        retrieval.nearest(training, training[:0])
    assert retrieval.typical(["dogs", "brown dogs", "grass"]) == "dogs"
    assert retrieval.typical(["sky", "sea"]) == "sky"


def base_scores(path: Path) -> Path:
    rows = [
        (m, "concept_accuracy", v, v - 0.1, v + 0.1, 6)
        for m, v in (("pmi", 4 / 6), ("greedy", 2 / 6))
    ]
    rows.append(("greedy", "concept_accuracy:lead-of-pmi", 2 / 6, 0.1, 0.5, 6))
    write_csv(path, ("method", "metric", "value", "low", "high", "n"), rows)
    return path


def trials_of(trial: comparison.TrialFiles, tmp_path: Path, *names: str) -> list[table2.Trial]:
    found = []
    for name in names:
        folder = tmp_path / "results" / name
        score(trial, folder)
        scores = base_scores(folder / "base.csv")
        found.append(table2.Trial(("a",), name, 0, scores, folder / "scores.csv"))
    return found


def test_table2_from_files(trial: comparison.TrialFiles, tmp_path: Path) -> None:
    trials = trials_of(trial, tmp_path, "b", "c")
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines/bertscore.svg").touch()
    rows = table2.write_comparison(trials, 0, tmp_path / "baselines")
    found = {(row["model"], row["method"]): row for row in rows}
    assert found["b", "netdissect"]["accuracy_lead"] == pytest.approx(-2 / 6)
    assert found["b", "netdissect"]["passes"] == pytest.approx(4 / 6)
    pooled = found[table2.ALL, "netdissect"]
    assert (pooled["n"], pooled["concept_accuracy"]) == (12, 1.0)
    assert pooled["accuracy_lead"] == pytest.approx(-2 / 6)
    assert pooled["accuracy_lead_low"] < -2 / 6 < pooled["accuracy_lead_high"]
    assert "accuracy_lead" not in found[table2.ALL, "pmi"]
    assert not (tmp_path / "baselines/bertscore.svg").exists(), "left by a run with BERTScore"
    write_table2_section(tmp_path / "baselines", rows, ["netdissect"], "scenes", False)
    text = " ".join(read_json(tmp_path / "baselines/section.json")["paragraphs"])
    assert "a ceiling on what labels can know, not rivals" in text
    assert "A formula" not in text, "no method of this run writes formulas"
    assert "other scenes (scenes)" in text
    assert "CLIP-Dissect is not part of this run" in text


def test_other_manifests_are_not_compared(trial: comparison.TrialFiles, tmp_path: Path) -> None:
    trials = trials_of(trial, tmp_path, "b", "c")
    facts = trials[1].methods.with_name("facts.json")
    facts.write_text(json.dumps({"manifest": "manifest-2", "passes": {}}))
    rows = table2.write_comparison(trials, 0, tmp_path / "baselines")
    assert table2.ALL not in {row["model"] for row in rows}, "two manifests are not pooled"
    same = dataclasses.replace(trials[1], test="b")
    with pytest.raises(UserError, match=r"'b' was probed with manifest manifest-2"):
        table2.write_comparison([trials[0], same], 0, tmp_path / "baselines")


def test_claims_follow_the_intervals() -> None:
    def row(model: str, method: str, value: float, low: float, high: float) -> dict[str, object]:
        ends = {"bert_lead_low": low, "bert_lead_high": high}
        return {"model": model, "method": method, "bert_score-f": value, **ends}

    rows = [row(m, "pmi", 0.5, 0, 0) | {"bert_lead_low": ""} for m in ("x", "y")]
    rows += [row("x", "greedy", 0.4, 0.05, 0.2), row("y", "greedy", 0.6, -0.2, -0.05)]
    text = " ".join(claims(rows, "bert_score-f", "bert"))
    assert "PMI is ahead on x; is behind on y." in text
    assert "this run does not confirm that" in text
    rows[-1] = row("y", "greedy", 0.4, 0.05, 0.2)
    assert "agrees with the paper" in " ".join(claims(rows, "bert_score-f", "bert"))
    rows += [row("x", "netdissect", 0.45, 0.01, 0.1), row("y", "netdissect", 0.3, 0.1, 0.3)]
    assert "here it is the other way round on x" in " ".join(claims(rows, "bert_score-f", "bert"))


def configured(root: Path, **change: object):
    return parse_config(merge(load([root / "config/config.yaml"]), {"baselines": change}))


def test_plan_of_the_default(root: Path) -> None:
    config = configured(root)
    held_out = [name for name in config.models if name in config.corpus]
    assert {t.split for t in plan.compared(config)} == {f"without_{name}" for name in held_out}
    assert plan.labelled(config) == held_out
    assert plan.label_dataset(config, "resnet_mini") == "stickers_test"
    assert plan.needs_masks(config)
    about = json.loads(plan.about(config))
    assert (about["labels"], about["same_images"]) == ("stickers_test", False)
    assert json.loads(plan.about(configured(root, dataset=None)))["same_images"]
    assert plan.labelled(configured(root, methods=[])) == []
    words = {"path": "clip", "concepts": "words.txt"}
    assert not plan.needs_masks(configured(root, methods=["clip_dissect"], clip_dissect=words))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset": "stickers_tset"}, "did you mean 'stickers_test'"),
        ({"methods": ["clip_dissect"]}, "clip_dissect.path: no CLIP is given"),
        ({"concepts": {"source": "folder"}}, "concepts.path: source 'folder' needs the folder"),
        ({"published": {"resnet": {"compexp": "x"}}}, "unknown model 'resnet'"),
        ({"methods": ["milan"]}, "baselines.methods"),
    ],
)
def test_mistakes(root: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        configured(root, **change)


def test_labels_need_ground_truth_or_masks(root: Path) -> None:
    mine = {"kind": "folder", "options": {"path": "."}}
    change = {"dataset_zoo": {"mine": mine}, "baselines": {"dataset": "mine"}}
    with pytest.raises(UserError, match="'mine' of kind 'folder' has no ground truth"):
        parse_config(merge(load([root / "config/config.yaml"]), change))
