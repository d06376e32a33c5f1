"""The steps from files to tables, on two tiny networks."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN, TrialFacts
from milan_core.experiments.generalization.step import ScoreTrial, TrialTables
from milan_core.scoring.references import read_training
from milan_core.scoring.tables import TRUTH, UNITS
from milan_core.scoring.vectors import encoder_folder

from .. import trial_files

TABLES = {
    "table": "table.csv", "summary": "summary.csv", "sweep": "lambda.csv",
    "sweep_figure": "lambda.svg", "table3": "table3.csv", "transfer": "transfer.csv",
    "paired": "paired.csv", "overlap": "overlap.csv", "masks": "masks.csv", "layers": "layers.csv",
    "transfer_figure": "transfer.svg", "layers_figure": "layers.svg", "section": "section.json",
}  # fmt: skip


@pytest.fixture
def fields(tmp_path):
    return trial_files.scored_fields(tmp_path) | {
        "descriptions": trial_files.descriptions(tmp_path / "descriptions.csv"),
        "beams": trial_files.beams(tmp_path / "beams.safetensors", first=""),
        "baselines": trial_files.methods(tmp_path / "b.csv", "prior_only", "whole_image"),
        "options": {"lambdas": [0, 0.2], "bootstrap": 200},
        "scores": tmp_path / "scores/scores.csv",
        "sweep": tmp_path / "scores/lambda.csv",
    }


def score(fields, **change):
    step = ScoreTrial(**{**fields, **change})
    step.run(Compute())
    return {(row["method"], row["metric"]): row for row in read_csv(step.scores)}


def test_from_files_to_tables(fields, tmp_path):
    rows = score(fields)
    assert float(rows["pmi", "concept_accuracy"]["value"]) == pytest.approx(4 / 6)
    assert float(rows["prior_only", "concept_accuracy"]["value"]) == pytest.approx(2 / 6)
    assert {method for method, _ in rows} >= {"constant", "constant_concept", "annotators"}
    facts = {"test": "b", "seed": 0, "train_side": "a", "test_side": "b"}
    held_out = {"experiment": HELD_OUT, "split": "without_b", "train": ["a"], "primary": True}
    within = {"experiment": WITHIN, "split": "within_b", "train": ["b"], "primary": False}
    out = tmp_path / "generalization"
    TrialTables(
        trials=[TrialFacts(**facts, **held_out), TrialFacts(**facts, **within)],
        scores=[fields["scores"]] * 2,
        sweeps=[fields["sweep"]] * 2,
        descriptions=[fields["descriptions"]] * 2,
        truth=[fields["truth"]],
        judged=["b"],
        temperature=0.2,
        options={"bootstrap": 200},
        **{name: out / file for name, file in TABLES.items()},
    ).run(Compute())
    assert {path.name for path in out.iterdir()} == set(TABLES.values())
    table = read_csv(out / "table.csv")
    assert {row["experiment"] for row in table} == {"leave-one-network-out", "within-network"}
    assert len(read_csv(out / "lambda.csv")) == 4
    assert (out / "lambda.svg").read_text().startswith("<?xml")
    (paired,) = read_csv(out / "paired.csv")
    assert (float(paired["cost"]), paired["units"]) == (0.0, "6")
    assert read_section(out / "section.json").name == "generalization"


def test_only_the_test_side_is_scored(fields):
    rows = read_csv(fields["descriptions"])
    for row in rows[:3]:
        row["side"] = "train"
    write_csv(fields["descriptions"], list(rows[0]), [list(row.values()) for row in rows])
    found = score(fields)
    assert found["pmi", "concept_accuracy"]["n"] == "3"
    assert float(found["pmi", "concept_accuracy"]["value"]) == pytest.approx(2 / 3)


def test_units_that_show_nothing_are_left_out_and_counted(fields):
    """Two of the six; what they are said to be makes no difference."""
    trial_files.silence(fields["descriptions"], {0: "dead", 1: "constant"})
    counts = ScoreTrial(**fields).run(Compute())
    assert counts == {"scored": 4, "silent": 2}
    found = score(fields)
    assert {row["n"] for (method, _), row in found.items() if method == "pmi"} == {"4"}
    assert float(found["pmi", "concept_accuracy"]["value"]) == 2 / 4, "both silent ones were right"
    trial_files.silence(fields["descriptions"], dict.fromkeys(range(6), "saturated"))
    with pytest.raises(UserError, match="none of its 6 units shows anything to describe"):
        score(fields)


def test_files_of_other_models_are_refused(fields, tmp_path):
    write_csv(tmp_path / "other.csv", TRUTH, [("z", 1, "dog", "object", 1, 15, 1, "dog")])
    with pytest.raises(UserError, match="not of the same units"):
        score(fields, truth=tmp_path / "other.csv")
    rows = [("prior_only", "c", 77, "dog")]
    write_csv(tmp_path / "b.csv", ("method", "layer", "unit", "description"), rows)
    with pytest.raises(UserError, match=r"b\.csv \(prior_only\) and \S+descriptions.csv are not"):
        score(fields)


def test_training_needs_its_annotations(fields, tmp_path):
    units, annotations = fields["captioner_units"], {"a": fields["train_annotations"][0]}
    training = read_training(units, annotations, {"a": fields["train_truth"][0]})
    assert (len(training.captions), len(training.truth)) == (18, 6)
    assert read_training(units, annotations, {}).truth == []
    with pytest.raises(UserError, match="'a', whose annotations were not given"):
        read_training(units, {}, {})
    write_csv(units, UNITS, [("a", "z", 0, "train")])
    with pytest.raises(UserError, match="no unit in common"):
        read_training(units, annotations, {})


def test_encoder_folder(tmp_path):
    (tmp_path / "asset.json").write_text("{}")
    (tmp_path / "deep/1_Pooling").mkdir(parents=True)
    (tmp_path / "deep/1_Pooling/config.json").write_text("{}")
    with pytest.raises(UserError, match="no transformers model below"):
        encoder_folder(tmp_path)
    (tmp_path / "deep/config.json").write_text("{}")
    (tmp_path / "deep/model.safetensors").write_text("")
    assert encoder_folder(tmp_path) == tmp_path / "deep"
