"""The PMI sweep, the result tables and their figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, save_tensors
from milan_core.experiments.generalization import tables
from milan_core.scoring import figures, pmi, scores
from milan_core.scoring.metrics import WordInformation
from milan_core.scoring.units import Material, Truth

UNITS = (("c", 0), ("c", 1))
CAPTIONS = (("thing", "dog", "puppy"), ("thing", "cat", "kitten"))
LOGP = np.array([[-1.0, -1.5, -3.5], [-1.0, -2.0, -4.0]], dtype=np.float32)
LOGP_LM = np.array([[-1.0, -4.0, -8.0], [-1.0, -4.0, -8.0]], dtype=np.float32)


@pytest.fixture
def material() -> Material:
    truth = [Truth(c, "object", 1.0, 15, True, (c,)) for c in ("dog", "cat")]
    return Material(UNITS[::-1], (("cat", "a cat"), ("dog", "a dog")), tuple(truth[::-1]))


@pytest.fixture
def beam_file(tmp_path: Path) -> Path:
    path = tmp_path / "beams.safetensors"
    meta = {"captions": CAPTIONS, "layers": ["c", "c"], "units": [0, 1]}
    save_tensors(path, "milan-beams", 1, {"logp": LOGP, "logp_lm": LOGP_LM}, meta)
    return path


def test_rerank_is_the_weighted_argmax(beam_file: Path) -> None:
    beams = pmi.read_beams(beam_file)
    assert beams.units == UNITS
    assert pmi.rerank(beams, 0.0) == ["thing", "thing"]
    assert pmi.rerank(beams, 0.2) == ["dog", "thing"]  # -.7 > -.8; -1.2 < -.8
    assert pmi.rerank(beams, 0.4) == ["dog", "cat"]  # .1 > -.3; -.4 > -.6, -.8
    assert pmi.rerank(beams, 1.0) == ["puppy", "kitten"]


def test_ties_go_to_the_earlier_beam_and_lambda_0_ignores_p_of_d() -> None:
    minus_infinity = np.full((1, 2), -np.inf, dtype=np.float32)
    beams = pmi.Beams(UNITS[:1], (("a", "b"),), np.zeros((1, 2), np.float32), minus_infinity)
    assert pmi.rerank(beams, 0.0) == ["a"]


def test_sweep(beam_file: Path, material: Material, tmp_path: Path) -> None:
    scorer = scores.Scorer(material, WordInformation(["thing thing thing dog cat"]))
    rows = pmi.sweep(pmi.read_beams(beam_file), material, scorer, [0.0, 0.2, 0.4, 1.0])
    assert [row["concept_accuracy"] for row in rows] == [0.0, 0.5, 1.0, 0.0]
    assert [row["accuracy_gain"] for row in rows] == [0.0, 0.5, 1.0, 0.0]
    assert [row["distinct"] for row in rows] == [1, 2, 2, 2]
    assert rows[0]["mean_information"] < rows[2]["mean_information"]
    pmi.write_sweep(tmp_path / "sweep.csv", rows)
    tables.write_lambda([("without_x", 3, tmp_path / "sweep.csv")], tmp_path / "lambda.csv")
    written = read_csv(tmp_path / "lambda.csv")
    assert list(written[0])[:3] == ["split", "trial", "lambda"]
    assert written[2]["concept_accuracy"] == "1.0"
    assert written[2]["bert_score-f"] == ""
    with pytest.raises(ValueError, match="at least one lambda"):
        pmi.write_sweep(tmp_path / "sweep.csv", [])


def test_beams_of_another_model_are_refused(beam_file: Path, material: Material) -> None:
    other = Material((("d", 0),), material.references[:1], material.truth[:1])
    scorer = scores.Scorer(other, WordInformation(["dog"]))
    with pytest.raises(UserError, match="the beams"):
        pmi.sweep(pmi.read_beams(beam_file), other, scorer)


def test_broken_beams_are_refused(tmp_path: Path) -> None:
    meta = {"captions": CAPTIONS, "layers": ["c", "c"], "units": [0, 1]}
    arrays = {"logp": LOGP[:, :2], "logp_lm": LOGP_LM}
    save_tensors(tmp_path / "b", "milan-beams", 1, arrays, meta)
    with pytest.raises(UserError, match=r"logp has shape \(2, 2\), the captions \(2, 3\)"):
        pmi.read_beams(tmp_path / "b")


def _scores(path: Path, value: float) -> Path:
    rows = [
        scores.Score("pmi", "concept_accuracy", value, value - 0.1, value + 0.1, 9),
        scores.Score("pmi", "bleu", 10.0, n=9),
        scores.Score("constant", "concept_accuracy", 0.1, 0.0, 0.2, 9),
        scores.Score("constant", "bert_score-f", float("nan"), n=0),
    ]
    scores.write_scores(path, rows)
    return path


def test_tables_have_the_promised_columns_and_trials_are_summarised(tmp_path: Path) -> None:
    entries = [
        tables.SplitScores("leave-one-out", "a+b", "c", t, _scores(tmp_path / f"{t}.csv", value))
        for t, value in enumerate([0.5, 0.7])
    ]
    tables.write_generalization(entries, tmp_path / "generalization")
    tables.write_baselines(entries, tmp_path / "baselines")
    rows = read_csv(tmp_path / "generalization/table.csv")
    assert list(rows[0])[:6] == ["experiment", "train", "test", "trial", "metric", "value"]
    assert [row["value"] for row in rows if row["metric"] == "concept_accuracy"] == ["0.5", "0.7"]
    assert rows[1]["low"] == ""
    assert len(rows) == 4  # only the method itself
    rows = read_csv(tmp_path / "baselines/table.csv")
    assert list(rows[0])[:5] == ["model", "method", "trial", "metric", "value"]
    assert {row["method"] for row in rows} == {"pmi", "constant"}
    summary = read_csv(tmp_path / "generalization/summary.csv")[0]
    assert (summary["metric"], summary["trials"]) == ("concept_accuracy", "2")
    assert float(summary["mean"]) == pytest.approx(0.6)
    assert float(summary["std"]) == pytest.approx(0.1 * 2**0.5)


def test_summary_of_one_trial_and_of_nothing() -> None:
    found = tables.summarise([(("a",), 1.5), (("b",), float("nan"))])
    assert found == [["a", 1, 1.5, ""], ["b", 0, "", ""]]


def test_scores_without_the_method_are_refused(tmp_path: Path) -> None:
    scores.write_scores(tmp_path / "s.csv", [scores.Score("constant", "bleu", 1.0)])
    entry = tables.SplitScores("x", "a", "b", 0, tmp_path / "s.csv")
    with pytest.raises(UserError, match="no rows of method 'pmi'"):
        tables.write_baselines([entry], tmp_path)


def test_sweeps_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("lambda,x\n0,1\n")
    (tmp_path / "b.csv").write_text("lambda,y\n0,1\n")
    with pytest.raises(UserError, match="has the columns"):
        tables.write_lambda([("s", 0, tmp_path / "a.csv"), ("s", 1, tmp_path / "b.csv")], tmp_path)


def test_figures_are_deterministic_and_hold_no_date() -> None:
    rows = [
        {"split": s, "lambda": w, "concept_accuracy": 0.5 + w / 10, "distinct": 9, "bleu": ""}
        for s in ("without_a", "without_b")
        for w in (0.0, 0.2)
    ]
    svg = figures.lambda_figure(rows)
    assert svg == figures.lambda_figure(rows)
    assert "concept accuracy" in svg
    assert "bits per word" not in svg  # no values, no panel
    assert "dc:date" not in svg
    table = [
        {"model": "m", "method": n, "metric": "concept_accuracy", "value": v, "low": "", "high": ""}
        for n, v in (("pmi", 0.6), ("shuffled_masks", 0.2))
    ]
    svg = figures.accuracy_figure(table)
    assert svg == figures.accuracy_figure(table)
    assert "shuffled masks" in svg
