"""An annotation set is described and scored like a network whose concepts nobody knows."""

from pathlib import Path

import numpy as np
import pytest

from milan_core.captioner.features.store import FeatureTable
from milan_core.core.files import read_csv, write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.core.tensors import save_tensors
from milan_core.experiments.baselines.step import MethodTable, ScoreMethods
from milan_core.experiments.controls.sentences import lambda_sentences
from milan_core.experiments.controls.tables import lambda_rows
from milan_core.experiments.decoding.section import sentences
from milan_core.experiments.decoding.step import StrategyTable
from milan_core.experiments.decoding.tables import COLUMNS, TIMING
from milan_core.experiments.generalization import tables
from milan_core.experiments.generalization.options import HELD_OUT, TrialFacts
from milan_core.experiments.generalization.section import transfer_section
from milan_core.experiments.generalization.step import ScoreTrial
from milan_core.experiments.generalization.sweep import JUDGED
from milan_core.experiments.generalization.transfer import transfer, write_known
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.compared import compared_row
from milan_core.scoring.options import TrainingSources
from milan_core.scoring.scorer import BERT_F, Measured
from milan_core.scoring.tables import Score

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
def fields(tmp_path):
    """Set `b`, described by a captioner trained on set `a`; three descriptions are a person's."""
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
    return {
        "descriptions": tmp_path / "descriptions.csv",
        "beams": tmp_path / "beams.safetensors",
        "baselines": tmp_path / "baselines.csv",
        "annotations": annotations(tmp_path / "b/annotations"),
        "captioner_units": tmp_path / "units.csv",
        "train_annotations": [annotations(tmp_path / "a/annotations")],
        "trained_on": TrainingSources(names=["a"]),
    }


@pytest.fixture
def scored(fields, tmp_path):
    """scores.csv and lambda.csv of the set."""
    step = ScoreTrial(
        **fields,
        options={"lambdas": [0, 0.2], "bootstrap": 200},
        scores=tmp_path / "trial/scores.csv",
        sweep=tmp_path / "trial/lambda.csv",
    )
    step.run(Compute())
    return step


def facts(test: str = "b", seed: int = 0, **sides: str) -> TrialFacts:
    experiment = {"experiment": HELD_OUT, "split": "without_b", "train": ["a"], "primary": True}
    return TrialFacts(
        **{"train_side": "a", "test_side": test, **experiment, **sides}, test=test, seed=seed
    )


def test_what_is_not_known_has_no_row(scored, tmp_path):
    rows = {(row["method"], row["metric"]): row for row in read_csv(scored.scores)}
    assert not any("accuracy" in metric for _, metric in rows)
    assert rows["pmi", "bleu-1"]["value"] == "62.5", "five of eight words"
    methods = {method for method, _ in rows}
    assert {"constant", "most_frequent", "shuffled_prediction", "annotators", "greedy"} <= methods
    assert "constant_concept" not in methods
    sweep = scored.sweep
    assert "concept_accuracy" not in read_csv(sweep)[0]
    assert read_csv(sweep)[0]["n"] == "6.0"
    # Beside a network whose concepts are known the cells of a set are empty.
    header = list(read_csv(sweep)[0])
    more = [*header[:-1], *JUDGED, "n"]
    write_csv(tmp_path / "known.csv", more, [dict.fromkeys(more, 0.5).values()])
    joined = tables.joined_sweeps([facts(), facts("k")], [sweep, tmp_path / "known.csv"])
    assert [row["concept_accuracy"] for row in joined] == ["", "", "0.5"]
    joined = tables.joined_sweeps([facts()], [sweep])
    write_csv(tmp_path / "joined.csv", list(joined[0]), [list(row.values()) for row in joined])
    shown = lambda_rows(tmp_path / "joined.csv")
    assert lambda_sentences({"s": shown["without_b"]}, 0.2) == []


def made(test: str, seed: int, value: float, units: int) -> Trial:
    """A trial of the row cls to gen, with a made-up BERTScore."""
    scores = [
        Score("pmi", BERT_F, value, value - 0.1, value + 0.1, units),
        Score("pmi", f"{BERT_F}:layer=4", value, n=units),
        Score("greedy", BERT_F, 0.2, n=units),
        Score("greedy", f"{BERT_F}:lead-of-pmi", value - 0.2, 0.01, 0.5, units, units, 0.01),
        Score("constant", BERT_F, 0.3, n=units),
    ]
    sides = {"experiment": "classifiers to a generator", "train_side": "cls", "test_side": "gen"}
    by_key = {(row.method, row.metric): row for row in scores}
    return Trial(facts(test, seed, **sides), by_key, {}, [])


def test_a_row_of_table_3_may_describe_several_sets(tmp_path):
    trials = [
        made("g1", 0, 0.3, 100), made("g2", 0, 0.6, 300),
        made("g1", 1, 0.5, 100), made("g2", 1, 0.4, 300),
    ]  # fmt: skip
    results = transfer(trials, {}, Bootstrap(0, 200))
    (row,) = results.table3
    values = [0.25 * 0.3 + 0.75 * 0.6, 0.25 * 0.5 + 0.75 * 0.4]
    names = ("learnt", "described", "trials", "units")
    assert [row[name] for name in names] == ["cls", "gen", 2, 400]
    assert row["bert_f"] == pytest.approx(np.mean(values))
    assert row["bert_f_std"] == pytest.approx(np.std(values, ddof=1))
    write_known(tmp_path / "table3.csv", results.table3)
    written = read_csv(tmp_path / "table3.csv")
    assert "accuracy" not in written[0], "nobody knows the concepts: the column is left out"
    assert [r["test"] for r in results.rows] == ["g1", "g2"]
    assert results.rows[0]["bert_f"] == pytest.approx(0.4)
    write_known(tmp_path / "transfer.csv", results.rows)
    assert "bleu" not in read_csv(tmp_path / "transfer.csv")[0]
    assert results.layers[0]["metric"] == BERT_F
    section = transfer_section(results)
    paths = [item.path for item in section.items]
    assert paths == ["table3.csv", "transfer.svg", "transfer.csv", "layers.svg", "layers.csv"]
    text = " ".join(section.paragraphs)
    assert "cls to gen 0.4" in text
    assert "BERTScore F the descriptions of annotation sets are above the best constant" in text
    assert "in 2 of 2 rows" in text
    assert "ahead of greedy p(d|E) in BERTScore F in 2 of 2 rows" in text
    assert "“Clearly” means" in text


def test_table_2_of_sets(fields, scored, tmp_path):
    step = ScoreMethods(
        **fields,
        model="b",
        features=features(tmp_path / "b/f.safetensors", 0),
        train_features=[features(tmp_path / "a/f.safetensors", 1)],
        options={"bootstrap": 200},
        **{name: tmp_path / "methods" / name for name in ("scores", "units", "facts")},
    )
    step.run(Compute())
    out = tmp_path / "baselines"
    MethodTable(
        scores=[scored.scores],
        methods=[step.scores],
        units=[step.units],
        facts=[step.facts],
        trials=[facts()],
        evidence={"methods": ["netdissect"], "labels": "", "same_images": False, "sets": ["b"]},
        **{name: out / f"{name}.csv" for name in ("table", "summary", "table2")},
        section=out / "section.json",
    ).run(Compute())
    rows = {row["method"]: row for row in read_csv(out / "table2.csv")}
    assert {"greedy", "beam", "pmi", "retrieval", "constant", "shuffled_prediction"} <= set(rows)
    assert all(row["concept_accuracy"] == "" for row in rows.values())
    section = read_section(out / "section.json")
    text = " ".join(section.paragraphs)
    assert text.startswith("BLEU-2 of every method on the same units and references. b: ")
    assert "Scored against the annotations of a set: b." in text
    assert "NetDissect" not in text, "it has no row"
    names = {column.name for column in section.items[0].columns}
    assert "bleu" in names
    assert not {"concept_accuracy", "bert_score-f"} & names


def test_the_study_is_judged_by_agreement(tmp_path):
    base = Measured({"bleu": 1.0, "distinct": 30.0}, {BERT_F: np.full(40, 0.3)})
    better = Measured({"bleu": 2.0, "distinct": 35.0}, {BERT_F: np.full(40, 0.4)})
    bootstrap = Bootstrap(0, 200)
    rows = []
    for strategy, beams, weight, measured in (
        ("greedy", 1, 0.0, base), ("beam", 10, 0.0, base), ("rerank", 10, 0.2, better),
    ):  # fmt: skip
        row = {"model": "b", "strategy": strategy, "beams": beams, "lambda": weight}
        row |= compared_row(measured, base, bootstrap, np.arange(40))
        rows.append(["" if row[name] != row[name] else row[name] for name in COLUMNS])
    write_csv(tmp_path / "b/table.csv", COLUMNS, rows)
    write_csv(tmp_path / "b/timing.csv", TIMING, [["b", "greedy", 1, 40, 0.1, 2.5]])
    out = tmp_path / "out"
    StrategyTable(
        tables=[tmp_path / "b/table.csv"],
        timings=[tmp_path / "b/timing.csv"],
        temperature=0.2,
        beam_size=10,
        table=out / "table.csv",
        timing=out / "timing.csv",
        figure=out / "study.svg",
        section=out / "section.json",
    ).run(Compute())
    table = read_csv(out / "table.csv")
    assert "concept_accuracy" not in table[0]
    assert {row["judged_by"] for row in table} == {BERT_F}
    text = sentences(table, 0.2, 10)[1]
    assert "BERTScore F is highest by rerank with 10 beams and λ 0.2, 0.400, +0.100" in text
    assert "(0.400 there), which reaches 0.400 on the other half (of the same" in text
    assert "changes BERTScore F from 0.300 to 0.400 and the number of distinct" in text
    nothing = compared_row(
        Measured({"distinct": 3.0}), Measured({"distinct": 3.0}), bootstrap, np.arange(3)
    )
    assert nothing["judged_by"] == ""
    unjudged = [{**row, "judged_by": ""} for row in table]
    assert "neither concepts nor BERTScore" in sentences(unjudged, 0.2, 10)[1]
