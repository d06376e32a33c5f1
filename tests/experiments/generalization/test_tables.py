"""The sweep over lambda, the long tables and their figures."""

from pathlib import Path

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.tensors import save_tensors
from milan_core.experiments.baselines.figure import metric_figure
from milan_core.experiments.generalization import tables
from milan_core.experiments.generalization.figure import lambda_figure
from milan_core.experiments.generalization.options import HELD_OUT, TrialFacts
from milan_core.experiments.generalization.sweep import lambda_sweep, write_sweep
from milan_core.experiments.generalization.trials import Trial, scores_of
from milan_core.scoring.beams import Beams, read_beams
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.references import References, Training
from milan_core.scoring.scorer import Scorer
from milan_core.scoring.tables import Score, Truth, write_scores

UNITS = (("c", 0), ("c", 1))
CAPTIONS = (("thing", "dog", "puppy"), ("thing", "cat", "kitten"))
LOGP = np.array([[-1.0, -1.5, -3.5], [-1.0, -2.0, -4.0]], dtype=np.float32)
LOGP_LM = np.array([[-1.0, -4.0, -8.0], [-1.0, -4.0, -8.0]], dtype=np.float32)


@pytest.fixture
def references() -> References:
    truth = [Truth(c, "object", 1.0, 15, True, (c,)) for c in ("dog", "cat")]
    return References(UNITS[::-1], (("cat", "a cat"), ("dog", "a dog")), tuple(truth[::-1]))


def scorer(references: References) -> Scorer:
    return Scorer(references, Training(["thing thing thing dog cat"]), Bootstrap(0, 200))


def facts(seed: int = 0, split: str = "without_c") -> TrialFacts:
    sides = {"train_side": "all but c", "test_side": "c"}
    return TrialFacts(
        experiment=HELD_OUT,
        split=split,
        train=["a", "b"],
        test="c",
        seed=seed,
        primary=True,
        **sides,
    )


@pytest.fixture
def beam_file(tmp_path: Path) -> Path:
    path = tmp_path / "beams.safetensors"
    meta = {"captions": CAPTIONS, "layers": ["c", "c"], "units": [0, 1]}
    save_tensors(path, "milan-beams", 1, {"logp": LOGP, "logp_lm": LOGP_LM}, meta)
    return path


def test_rerank_is_the_weighted_argmax(beam_file: Path) -> None:
    beams = read_beams(beam_file)
    assert beams.units == UNITS
    assert beams.rerank(0.0) == ["thing", "thing"]
    assert beams.rerank(0.2) == ["dog", "thing"]  # -.7 > -.8; -1.2 < -.8
    assert beams.rerank(0.4) == ["dog", "cat"]  # .1 > -.3; -.4 > -.6, -.8
    assert beams.rerank(1.0) == ["puppy", "kitten"]


def test_ties_go_to_the_earlier_beam_and_lambda_0_ignores_p_of_d() -> None:
    minus_infinity = np.full((1, 2), -np.inf, dtype=np.float32)
    beams = Beams(UNITS[:1], (("a", "b"),), np.zeros((1, 2), np.float32), minus_infinity)
    assert beams.rerank(0.0) == ["a"]


def test_sweep(beam_file: Path, references: References, tmp_path: Path) -> None:
    rows = lambda_sweep(read_beams(beam_file), scorer(references), [0.0, 0.2, 0.4, 1.0])
    assert [row["concept_accuracy"] for row in rows] == [0.0, 0.5, 1.0, 0.0]
    assert [row["accuracy_gain"] for row in rows] == [0.0, 0.5, 1.0, 0.0]
    assert [row["distinct"] for row in rows] == [1, 2, 2, 2]
    assert rows[0]["mean_information"] < rows[2]["mean_information"]
    write_sweep(tmp_path / "sweep.csv", rows)
    joined = tables.joined_sweeps([facts(seed=3)], [tmp_path / "sweep.csv"])
    assert list(joined[0])[:3] == ["split", "trial", "lambda"]
    assert (joined[2]["split"], joined[2]["trial"]) == ("without_c", "3")
    assert joined[2]["concept_accuracy"] == "1.0"
    assert joined[2]["bert_score-f"] == ""
    with pytest.raises(ValueError, match="at least one lambda"):
        write_sweep(tmp_path / "sweep.csv", [])


def test_beams_of_another_model_are_refused(beam_file: Path, references: References) -> None:
    other = References((("d", 0),), references.texts[:1], references.truth[:1])
    with pytest.raises(UserError, match="the beams"):
        lambda_sweep(read_beams(beam_file), scorer(other), [0.2])


def test_broken_beams_are_refused(tmp_path: Path) -> None:
    meta = {"captions": CAPTIONS, "layers": ["c", "c"], "units": [0, 1]}
    arrays = {"logp": LOGP[:, :2], "logp_lm": LOGP_LM}
    save_tensors(tmp_path / "b", "milan-beams", 1, arrays, meta)
    with pytest.raises(UserError, match="logp has 2 captions, expected 3"):
        read_beams(tmp_path / "b")


def made_trial(seed: int, value: float) -> Trial:
    rows = [
        Score("pmi", "concept_accuracy", value, value - 0.1, value + 0.1, 9),
        Score("pmi", "bleu", 10.0, n=9),
        Score("constant", "concept_accuracy", 0.1, 0.0, 0.2, 9),
        Score("constant", "bert_score-f", float("nan"), n=0),
    ]
    return Trial(facts(seed), {(row.method, row.metric): row for row in rows}, {}, [])


def test_tables_have_the_promised_columns_and_trials_are_summarized() -> None:
    trials = [made_trial(0, 0.5), made_trial(1, 0.7)]
    table, summary = tables.long_tables(trials)
    assert tables.TABLE[:6] == ("experiment", "train", "test", "trial", "metric", "value")
    rows = [dict(zip(tables.TABLE, cells, strict=True)) for cells in table]
    assert [row["value"] for row in rows if row["metric"] == "concept_accuracy"] == [0.5, 0.7]
    assert (rows[0]["train"], rows[1]["low"]) == ("a+b", "")
    assert len(rows) == 4  # only the method itself
    first = dict(zip(tables.SUMMARY, summary[0], strict=True))
    assert (first["metric"], first["trials"]) == ("concept_accuracy", 2)
    assert first["mean"] == pytest.approx(0.6)
    assert first["std"] == pytest.approx(0.1 * 2**0.5)


def test_summary_of_one_trial_and_of_nothing() -> None:
    rows = tables.summarize([(("a",), 1.5), (("b",), float("nan"))])
    assert rows == [["a", 1, 1.5, ""], ["b", 0, "", ""]]


def test_scores_without_the_method_are_refused(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.csv", [Score("constant", "bleu", 1.0)])
    with pytest.raises(UserError, match="no rows of method 'pmi'"):
        scores_of(tmp_path / "s.csv")


def test_sweeps_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("lambda,x\n0,1\n")
    (tmp_path / "b.csv").write_text("lambda,y\n0,1\n")
    with pytest.raises(UserError, match="has the columns"):
        tables.joined_sweeps([facts(), facts(1)], [tmp_path / "a.csv", tmp_path / "b.csv"])


def test_figures_are_deterministic_and_hold_no_date() -> None:
    rows = [
        {"split": s, "lambda": w, "concept_accuracy": 0.5 + w / 10, "distinct": 9, "bleu": ""}
        for s in ("without_a", "without_b")
        for w in (0.0, 0.2)
    ]
    svg = lambda_figure(rows, 0.2)
    assert svg == lambda_figure(rows, 0.2)
    assert svg != lambda_figure(rows, 0.1), "the lambda of the run is marked"
    assert "concept accuracy" in svg
    assert "bits per word" not in svg  # no values, no panel
    assert "dc:date" not in svg
    table = [
        {"model": "m", "method": n, "metric": "concept_accuracy", "value": v, "low": "", "high": ""}
        for n, v in (("pmi", 0.6), ("shuffled_masks", 0.2))
    ]
    svg = metric_figure(table, "concept_accuracy")
    assert svg == metric_figure(table, "concept_accuracy")
    assert "shuffled masks" in svg
