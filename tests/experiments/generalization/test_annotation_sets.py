"""An annotation set is described and scored like a network whose concepts nobody knows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from milan_core.captioner.features.store import FeatureTable
from milan_core.core.files import read_csv, save_tensors, write_csv
from milan_core.core.section import read_section
from milan_core.experiments.baselines import comparison
from milan_core.experiments.baselines import tables as table2
from milan_core.experiments.baselines.section import write_table2_section
from milan_core.experiments.controls.tables import lambda_rows
from milan_core.experiments.controls.wording import lambda_sentence
from milan_core.experiments.decoding.section import sentences, write_study
from milan_core.experiments.decoding.study import COLUMNS, TIMING, measured_row
from milan_core.experiments.generalization import score as stage
from milan_core.experiments.generalization import tables
from milan_core.experiments.generalization.transfer import write_transfer
from milan_core.scoring import pmi
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.scores import BERT_F, Measured, Score, write_scores

SAID = ("dogs", "red things", "the sky", "dogs", "red things", "sky")
PEOPLE = ("layer", "unit", "summary")


def annotations(folder: Path) -> Path:
    """Three texts a unit in the published format: annotators have no names."""
    rows = [(layer, unit, f"{SAID[unit]}{end}") for unit in range(6) for layer in ("4",)
            for end in ("", " here", " and more")]  # fmt: skip
    write_csv(folder / "annotations.csv", PEOPLE, rows)
    return folder / "annotations.csv"


def features(path: Path, seed: int) -> Path:
    array = np.random.default_rng(seed).normal(size=(6, 2, 3)).astype(np.float16)
    meta = {"encoder": "e", "dataset": "fingerprint", "pooling": {}}
    FeatureTable({"exact": array}, [("4", 6)], meta).save(path)
    return path


@pytest.fixture
def trial(tmp_path: Path) -> Any:
    """Set `b`, described by a captioner that learnt set `a`; three descriptions are a person's."""
    texts = ["dogs", "red things", "the sky", "cats", "cats", "cats"]
    beams = {
        "captions": [[text, "cats"] for text in texts],
        "layers": ["4"] * 6,
        "units": [*range(6)],
    }
    arrays = {name: np.zeros((6, 2), np.float32) for name in ("logp", "logp_lm")}
    save_tensors(tmp_path / "beams.safetensors", "milan-beams", 1, arrays, beams)
    rows = [("4", unit, text, "test") for unit, text in enumerate(texts)]
    write_csv(tmp_path / "descriptions.csv", ("layer", "unit", "description", "side"), rows)
    rows = [("greedy", "4", unit, "cats") for unit in range(6)]
    write_csv(tmp_path / "baselines.csv", ("method", "layer", "unit", "description"), rows)
    rows = [("a", "4", unit, "train") for unit in range(6)]
    write_csv(tmp_path / "units.csv", ("model", "layer", "unit", "side"), rows)
    return SimpleNamespace(
        descriptions=tmp_path / "descriptions.csv",
        beams=tmp_path / "beams.safetensors",
        baselines=tmp_path / "baselines.csv",
        annotations=annotations(tmp_path / "b/annotations"),
        truth=[],
        units=tmp_path / "units.csv",
        learnt=[annotations(tmp_path / "a/annotations")],
        bertscore=[],
        options={"lambdas": [0, 0.2], "bootstrap": 200},
        seed=0,
        out=tmp_path / "trial/scores.csv",
    )


def test_what_is_not_known_has_no_row(trial: Any, tmp_path: Path) -> None:
    stage.score_trial(trial)
    rows = {(row["method"], row["metric"]): row for row in read_csv(trial.out)}
    assert not any("accuracy" in metric for _, metric in rows)
    assert rows["pmi", "bleu-1"]["value"] == "62.5", "five of eight words"
    methods = {method for method, _ in rows}
    assert {"constant", "most_frequent", "shuffled_prediction", "annotators", "greedy"} <= methods
    assert "constant_concept" not in methods
    sweep = trial.out.with_name("lambda.csv")
    assert "concept_accuracy" not in read_csv(sweep)[0]
    assert read_csv(sweep)[0]["n"] == "6.0"
    # Beside a network whose concepts are known the cells of a set are empty.
    header = list(read_csv(sweep)[0])
    more = [*header[:-1], *pmi.JUDGED, "n"]
    write_csv(tmp_path / "known.csv", more, [dict.fromkeys(more, 0.5).values()])
    joined = tmp_path / "lambda.csv"
    tables.write_lambda([("s", 0, sweep), ("k", 0, tmp_path / "known.csv")], joined)
    assert [row["concept_accuracy"] for row in read_csv(joined)] == ["", "", "0.5"]
    tables.write_lambda([("s", 0, sweep)], joined)
    shown = lambda_rows(joined)
    assert lambda_sentence("s", shown["s"], 0.2) is None


def scored(tmp_path: Path, test: str, seed: int, value: float, units: int) -> dict[str, Any]:
    """A trial of the row cls to gen, with a made-up BERTScore."""
    path = tmp_path / f"{test}-{seed}.csv"
    write_scores(
        path,
        [
            Score("pmi", BERT_F, value, value - 0.1, value + 0.1, units),
            Score("pmi", f"{BERT_F}:layer=4", value, n=units),
            Score("greedy", BERT_F, 0.2, n=units),
            Score("greedy", f"{BERT_F}:lead-of-pmi", value - 0.2, 0.01, 0.5, units),
            Score("constant", BERT_F, 0.3, n=units),
        ],
    )
    facts = {"experiment": "from classifiers to a generator", "train": ["a1", "a2"], "test": test}
    facts |= {"seed": seed, "learnt": "cls", "described": "gen"}
    return {**facts, "scores": path, "descriptions": path, "truth": None}


def test_a_row_of_table_3_may_describe_several_sets(tmp_path: Path) -> None:
    trials: Any = [
        scored(tmp_path, "g1", 0, 0.3, 100), scored(tmp_path, "g2", 0, 0.6, 300),
        scored(tmp_path, "g1", 1, 0.5, 100), scored(tmp_path, "g2", 1, 0.4, 300),
    ]  # fmt: skip
    write_transfer(trials, tmp_path / "out", Bootstrap(0, 200))
    (row,) = read_csv(tmp_path / "out/table3.csv")
    values = [0.25 * 0.3 + 0.75 * 0.6, 0.25 * 0.5 + 0.75 * 0.4]
    assert (row["learnt"], row["described"], row["trials"], row["units"]) == (
        "cls",
        "gen",
        "2",
        "400",
    )
    assert float(row["bert_f"]) == pytest.approx(np.mean(values))
    assert float(row["bert_f_std"]) == pytest.approx(np.std(values, ddof=1))
    assert "accuracy" not in row, "nobody knows the concepts: the column is left out"
    rows = read_csv(tmp_path / "out/transfer.csv")
    assert [r["test"] for r in rows] == ["g1", "g2"]
    assert float(rows[0]["bert_f"]) == pytest.approx(0.4)
    assert "bleu" not in rows[0]
    assert read_csv(tmp_path / "out/layers.csv")[0]["metric"] == BERT_F
    section = read_section(tmp_path / "out/section.json")
    paths = [item.path for item in section.items]
    assert paths == ["table3.csv", "transfer.svg", "transfer.csv", "layers.svg", "layers.csv"]
    text = " ".join(section.paragraphs)
    assert "cls to gen 0.4" in text
    assert "BERTScore F the descriptions of annotation sets are above the best constant" in text
    assert "in 2 of 2 rows" in text
    assert "ahead of greedy p(d|E) in BERTScore F in 2 of 2 rows" in text


def test_table_2_of_sets(trial: Any, tmp_path: Path) -> None:
    stage.score_trial(trial)
    single = {name: getattr(trial, name) for name in ("descriptions", "beams", "baselines",
              "annotations", "truth", "units", "learnt", "bertscore")}  # fmt: skip
    files = comparison.TrialFiles(
        **single,
        features=features(tmp_path / "b/features/f.safetensors", 0),
        learnt_features=[features(tmp_path / "a/features/f.safetensors", 1)],
        labels=[],
    )
    folder = tmp_path / "methods"
    comparison.score_methods(files, {"bootstrap": 200}, 0, folder)
    out = tmp_path / "baselines"
    (out / "accuracy.svg").parent.mkdir()
    (out / "accuracy.svg").touch()
    one = table2.Trial(("a",), "b", 0, trial.out, folder / "scores.csv")
    rows = table2.write_comparison([one], 0, out)
    found = {row["method"]: row for row in rows}
    assert {"greedy", "beam", "pmi", "retrieval", "constant", "shuffled_prediction"} <= set(found)
    assert all(row["concept_accuracy"] == "" for row in rows)
    assert not (out / "accuracy.svg").exists(), "of a run that knew concepts"
    write_table2_section(out, rows, ["netdissect"], "", False, ["b"])
    section = read_section(out / "section.json")
    text = " ".join(section.paragraphs)
    assert text.startswith("BLEU of every method on the same units and references. b: ")
    assert "Scored against the annotations of a set: b." in text
    assert "NetDissect" not in text, "it has no row"
    names = {column.name for column in section.items[0].columns}
    assert "bleu" in names
    assert not {"concept_accuracy", "bert_score-f"} & names


def test_the_study_is_judged_by_agreement(tmp_path: Path) -> None:
    base = Measured({"bleu": 1.0, "distinct": 30.0}, {BERT_F: np.full(40, 0.3)})
    better = Measured({"bleu": 2.0, "distinct": 35.0}, {BERT_F: np.full(40, 0.4)})
    bootstrap = Bootstrap(0, 200)
    rows = []
    for strategy, beams, weight, found in (
        ("greedy", 1, 0.0, base), ("beam", 10, 0.0, base), ("rerank", 10, 0.2, better),
    ):  # fmt: skip
        row = {"model": "b", "strategy": strategy, "beams": beams, "lambda": weight}
        row |= measured_row(found, base, bootstrap)
        rows.append(["" if row[name] != row[name] else row[name] for name in COLUMNS])
    write_csv(tmp_path / "b/table.csv", COLUMNS, rows)
    write_csv(tmp_path / "b/timing.csv", TIMING, [["b", "greedy", 1, 40, 0.1, 2.5]])
    write_study([tmp_path / "b/table.csv"], 0.2, 10, tmp_path / "out")
    table = read_csv(tmp_path / "out/table.csv")
    assert "concept_accuracy" not in table[0]
    assert {row["judged_by"] for row in table} == {BERT_F}
    text = sentences(table, 0.2, 10)[1]
    assert "BERTScore F is highest by rerank with 10 beams and λ 0.2, 0.400, +0.100" in text
    assert "(0.400 there), which reaches 0.400 on the other half, +0.100" in text
    assert "changes BERTScore F from 0.300 to 0.400 and the number of distinct" in text
    nothing = measured_row(Measured({"distinct": 3.0}), Measured({"distinct": 3.0}), bootstrap)
    assert nothing["judged_by"] == ""
    unjudged = [{**row, "judged_by": ""} for row in table]
    assert "neither concepts nor BERTScore" in sentences(unjudged, 0.2, 10)[1]
