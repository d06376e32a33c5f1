"""The stage from files to tables, on two tiny networks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, save_tensors, write_csv
from milan_core.experiments.generalization import score as stage
from milan_core.plan.splits import HELD_OUT, WITHIN

CONCEPTS = ("dog", "cat", "dog", "bird", "cat", "bird")
TRUTH = ("layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept")


@pytest.fixture
def trial(tmp_path: Path) -> SimpleNamespace:
    """Files of a captioner that learnt network `a` and describes network `b`."""
    for model in ("a", "b"):
        folder = tmp_path / model / "annotations"
        rows = [("c", u, f"{w} {c}", w) for u, c in enumerate(CONCEPTS) for w in ("a", "the", "my")]
        write_csv(folder / "annotations.csv", ("layer", "unit", "summary", "annotator"), rows)
        rows = [("c", u, c, "object", 0.9, 12, 1, c) for u, c in enumerate(CONCEPTS)]
        write_csv(folder / "truth.csv", TRUTH, rows)
    texts = ["a dog", "a cat", "a cat", "my bird", "a cat", "sky"]
    rows = [("c", u, text, -1, -2, -0.6, "test") for u, text in enumerate(texts)]
    columns = ("layer", "unit", "description", "logp", "logp_lm", "score", "side")
    write_csv(tmp_path / "descriptions.csv", columns, rows)
    rows = [(m, "c", u, "dog") for m in ("prior_only", "whole_image") for u in range(6)]
    write_csv(tmp_path / "baselines.csv", ("method", "layer", "unit", "description"), rows)
    rows = [("a", "c", u, "train") for u in range(6)]
    write_csv(tmp_path / "units.csv", ("model", "layer", "unit", "side"), rows)
    meta = {
        "captions": [[text, "dog"] for text in texts],
        "layers": ["c"] * 6,
        "units": list(range(6)),
    }
    arrays = {name: np.zeros((6, 2), np.float32) for name in ("logp", "logp_lm")}
    save_tensors(tmp_path / "beams.safetensors", "milan-beams", 1, arrays, meta)
    return SimpleNamespace(
        descriptions=tmp_path / "descriptions.csv",
        beams=tmp_path / "beams.safetensors",
        baselines=tmp_path / "baselines.csv",
        annotations=tmp_path / "b/annotations/annotations.csv",
        truth=[tmp_path / "b/annotations/truth.csv"],
        units=tmp_path / "units.csv",
        learnt=[tmp_path / "a/annotations/annotations.csv"],
        bertscore=[],
        options={"lambdas": [0, 0.2], "bootstrap": 200},
        seed=0,
        out=tmp_path / "scores/scores.csv",
    )


def test_from_files_to_tables(trial: SimpleNamespace, tmp_path: Path) -> None:
    stage.score_trial(trial)
    rows = {(r["method"], r["metric"]): r for r in read_csv(trial.out)}
    assert float(rows["pmi", "concept_accuracy"]["value"]) == pytest.approx(4 / 6)
    assert float(rows["prior_only", "concept_accuracy"]["value"]) == pytest.approx(2 / 6)
    assert {method for method, _ in rows} >= {"constant", "constant_concept", "annotators"}
    facts = {"test": "b", "seed": 0, "learnt": "a", "described": "b"}
    trials = [
        {**facts, "experiment": HELD_OUT, "split": "without_b", "train": ["a"], "primary": True},
        {**facts, "experiment": WITHIN, "split": "within_b", "train": ["b"], "primary": False},
    ]
    sweep = trial.out.with_name("lambda.csv")
    stage.write_tables(trials, [trial.out] * 2 + [sweep] * 2, tmp_path / "generalization")
    table = read_csv(tmp_path / "generalization/table.csv")
    assert {row["experiment"] for row in table} == {"leave-one-network-out", "within-network"}
    assert len(read_csv(tmp_path / "generalization/lambda.csv")) == 4
    assert (tmp_path / "generalization/lambda.svg").read_text().startswith("<?xml")
    with pytest.raises(UserError, match="2 trials need 2 score files"):
        stage.write_tables(trials, [trial.out], tmp_path)


def test_only_the_test_side_is_scored(trial: SimpleNamespace) -> None:
    rows = read_csv(trial.descriptions)
    for row in rows[:3]:
        row["side"] = "train"
    write_csv(trial.descriptions, list(rows[0]), [list(row.values()) for row in rows])
    stage.score_trial(trial)
    found = {(r["method"], r["metric"]): r for r in read_csv(trial.out)}
    assert found["pmi", "concept_accuracy"]["n"] == "3"
    assert float(found["pmi", "concept_accuracy"]["value"]) == pytest.approx(2 / 3)


def test_files_of_other_models_are_refused(trial: SimpleNamespace, tmp_path: Path) -> None:
    write_csv(tmp_path / "other.csv", TRUTH, [("z", 1, "dog", "object", 1, 15, 1, "dog")])
    other = SimpleNamespace(**{**vars(trial), "truth": [tmp_path / "other.csv"]})
    with pytest.raises(UserError, match="not of the same units"):
        stage.score_trial(other)
    rows = [("prior_only", "c", 77, "dog")]
    write_csv(trial.baselines, ("method", "layer", "unit", "description"), rows)
    with pytest.raises(UserError, match=r"baselines.csv \(prior_only\) and the descriptions"):
        stage.score_trial(trial)


def test_training_needs_its_annotations(trial: SimpleNamespace, tmp_path: Path) -> None:
    training = stage.read_training(trial.units, trial.learnt)
    assert (len(training.captions), len(training.truth)) == (18, 6)
    with pytest.raises(UserError, match="'a', whose annotations were not given"):
        stage.read_training(trial.units, [])
    write_csv(trial.units, ("model", "layer", "unit", "side"), [("a", "z", 0, "train")])
    with pytest.raises(UserError, match="no unit in common"):
        stage.read_training(trial.units, trial.learnt)


def test_encoder_folder(tmp_path: Path) -> None:
    (tmp_path / "asset.json").write_text("{}")
    (tmp_path / "deep/1_Pooling").mkdir(parents=True)
    (tmp_path / "deep/1_Pooling/config.json").write_text("{}")
    with pytest.raises(UserError, match="no transformers model below"):
        stage.encoder_folder(tmp_path / "asset.json")
    (tmp_path / "deep/config.json").write_text("{}")
    (tmp_path / "deep/model.safetensors").write_text("")
    assert stage.encoder_folder(tmp_path / "asset.json") == tmp_path / "deep"
