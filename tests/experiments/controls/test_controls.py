"""Sentences on the score tables: which side of zero an interval lies on decides the words."""

import math

import pytest

from milan_core.core.drawing import write_figure
from milan_core.core.files import write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.experiments.baselines import tables as table2
from milan_core.experiments.baselines.options import MethodFacts
from milan_core.experiments.controls import sentences
from milan_core.experiments.controls.options import ControlsOptions
from milan_core.experiments.controls.step import ControlsSection
from milan_core.experiments.controls.tables import Figure, Table, average, lambda_rows
from milan_core.experiments.generalization import tables
from milan_core.experiments.generalization.figure import lambda_figure
from milan_core.experiments.generalization.options import HELD_OUT, TrialFacts
from milan_core.experiments.generalization.sweep import write_sweep
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.scorer import AGREEMENT, DIVERSITY
from milan_core.scoring.tables import Score

COLUMNS = ("model", "method", "metric", "value", "low", "high", "n")


def table(tmp_path, *rows):
    write_csv(tmp_path / "t.csv", COLUMNS, rows)
    return Table(tmp_path / "t.csv", ("model", "method", "metric"))


def write_tables(results):
    rows = [
        Score("pmi", "concept_accuracy", 0.5, 0.4, 0.6, 2),
        Score("pmi", "bert_score-f", 0.62, 0.6, 0.64, 3),
        Score("constant", "concept_accuracy", 0.1, 0.05, 0.2, 2),
        Score("constant", "concept_accuracy:lead-of-pmi", 0.4, 0.3, 0.5, 2),
    ]
    facts = TrialFacts(
        experiment=HELD_OUT, split="without_net_a", train=["other"], test="net_a", seed=0,
        train_side="other", test_side="net_a", primary=True,
    )  # fmt: skip
    trial = Trial(facts, {(row.method, row.metric): row for row in rows}, {}, [])
    write_csv(results / "generalization/table.csv", tables.TABLE, tables.long_tables([trial])[0])
    methods = table2.Trial(facts, rows, [], MethodFacts(manifest="", passes={}))
    write_csv(results / "baselines/table.csv", table2.TABLE, table2.long_tables([methods])[0])
    sweep: list[dict[str, float]] = []
    for weight in (0.0, 0.2):
        values = dict.fromkeys((*DIVERSITY, *AGREEMENT), 1.0)
        values |= {"concept_accuracy": 0.5, "low": 0.4, "high": 0.6, "accuracy_gain": 0.0}
        sweep.append({"lambda": weight, **values, "gain_low": -0.1, "gain_high": 0.1, "n": 2})
    write_sweep(results / "sweep.csv", sweep)
    joined = tables.joined_sweeps([facts], [results / "sweep.csv"])
    path = results / "generalization/lambda.csv"
    write_csv(path, list(joined[0]), [list(row.values()) for row in joined])
    write_figure(results / "generalization/lambda.svg", lambda_figure(joined, 0.2))


def test_the_section_reads_tables_of_both_experiments(tmp_path):
    write_tables(tmp_path)
    general = tmp_path / "generalization"
    step = ControlsSection(
        generalization=general / "table.csv",
        baselines=tmp_path / "baselines/table.csv",
        lambdas=general / "lambda.csv",
        lambda_figure=general / "lambda.svg",
        options=ControlsOptions(weight=0.2, probes={"net_a": "probe", "net_b": "probe"}),
        section=tmp_path / "controls/section.json",
    )
    step.run(Compute())
    section = read_section(step.section)
    assert section.paragraphs[0].startswith("net_a: 50% [40–60] of 2 units with a specific concept")
    assert "clearly below (difference +40 points)" in section.paragraphs[0]
    text = "with λ = 0.2 instead of 0 the accuracy goes from 50% to 50% (no clear change)"
    assert any(text in paragraph for paragraph in section.paragraphs)
    paths = [item.path for item in section.items]
    assert paths == ["../generalization/lambda.svg", "../generalization/lambda.csv"]
    step.model_copy(update={"baselines": None}).run(Compute())
    assert not any("net_a: 50%" in text for text in read_section(step.section).paragraphs)


def test_a_share_has_its_interval():
    assert sentences.share(Figure(0.5, 0.4, 0.6)) == "50% [40–60]"
    assert sentences.share(Figure(0.5)) == "50%"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.3, 0.5, "clearly below"),
        (-0.1, 0.2, "too close to tell apart"),
        (-0.5, -0.3, "they fail this test"),
    ],
)
def test_the_verdict_follows_the_interval(tmp_path, low, high, expected):
    lead = (low + high) / 2
    found = table(
        tmp_path,
        ("m", "pmi", "concept_accuracy", 0.5, 0.4, 0.6, 9),
        ("m", "constant", "concept_accuracy", 0.5 - lead, 0, 1, 9),
        ("m", "constant", "concept_accuracy:lead-of-pmi", lead, low, high, 9),
        ("m", "whole_image", "concept_accuracy:lead-of-pmi", lead, low, high, 9),
        ("m", "constant", "bert_score-f:lead-of-pmi", lead, low, high, 9),
    )
    assert expected in (sentences.accuracy_sentence("m", found, True) or "")
    masks = sentences.mask_sentence(["m"], found) or ""
    assert ("lowers" in masks, "raises" in masks) == (low > 0, high < 0)
    bert = sentences.bert_sentence(["m"], found) or ""
    assert ("does not separate" in bert) == (low <= 0)


def test_no_numbers_no_sentences(tmp_path):
    empty = table(tmp_path, ("m", "pmi", "bleu", "", "", "", 0))
    assert sentences.accuracy_sentence("m", empty, True) is None
    assert sentences.mask_sentence(["m"], empty) is None
    assert sentences.bert_sentence(["m"], empty) is None
    assert sentences.ceiling_sentence(["m"], empty) is None
    assert sentences.lambda_sentence("s", [], 0.2) is None
    assert not Table(None, ("x",))
    assert not average([]).exists


def test_a_lone_accuracy_is_stated_without_a_rival(tmp_path):
    found = table(tmp_path, ("m", "pmi", "concept_accuracy", 0.5, "", "", 9))
    assert (sentences.accuracy_sentence("m", found, True) or "").startswith("m: 50% of 9 units")


@pytest.mark.parametrize(
    ("gain", "words"), [(0.1, "a clear gain"), (-0.1, "a clear loss"), (0.0, "no clear change")]
)
def test_lambda_sentence(gain, words):
    shared = {"distinct": 50.0, "mean_information": 4.0}
    rows = [
        {"lambda": 0.0, "concept_accuracy": 0.5, **shared},
        {
            **shared,
            **{"lambda": 0.2, "concept_accuracy": 0.5 + gain, "accuracy_gain": gain},
            **{"gain_low": gain - 0.05, "gain_high": gain + 0.05},
        },
    ]
    text = sentences.lambda_sentence("s", rows, 0.2) or ""
    assert words in text
    assert ("no other λ tried is more accurate" in text) == (gain > 0)


def test_trials_are_averaged(tmp_path):
    found = table(
        tmp_path,
        ("m", "pmi", "bleu", 10, "", "", 9),
        ("m", "pmi", "bleu", 20, "", "", 9),
    )
    figure = found.get("m", "pmi", "bleu")
    assert (figure.value, figure.trials, figure.n) == (15.0, 2, 9)
    assert math.isnan(figure.low)


def test_lambda_survives_the_mean_over_trials(tmp_path):
    """Three trials at 0.2: their floating-point mean is not 0.2, and the chosen row was lost."""
    rows = [("s", trial, weight, trial) for trial in (0, 1, 2) for weight in (0.2, 0.7)]
    write_csv(tmp_path / "l.csv", ("split", "trial", "lambda", "bleu"), rows)
    found = lambda_rows(tmp_path / "l.csv")["s"]
    assert [(row["lambda"], row["bleu"]) for row in found] == [(0.2, 1.0), (0.7, 1.0)]
