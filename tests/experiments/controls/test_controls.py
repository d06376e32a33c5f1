"""Sentences on the score tables: which side of zero an interval lies on decides the words."""

import math

import pytest

from milan_core.core.drawing import write_figure
from milan_core.core.files import write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.experiments.baselines import tables as table2
from milan_core.experiments.baselines.options import Evidence, MethodFacts
from milan_core.experiments.baselines.section import methods_section
from milan_core.experiments.controls import sentences
from milan_core.experiments.controls.options import ControlsOptions
from milan_core.experiments.controls.step import ControlsSection
from milan_core.experiments.controls.tables import Figure, Table, average, lambda_rows
from milan_core.experiments.generalization import tables
from milan_core.experiments.generalization.figure import lambda_figure
from milan_core.experiments.generalization.masks import COLUMNS as MASKS
from milan_core.experiments.generalization.options import HELD_OUT, EncoderFacts, TrialFacts
from milan_core.experiments.generalization.overlap import encoder_sentence
from milan_core.experiments.generalization.paired import PAIRED
from milan_core.experiments.generalization.sweep import write_sweep
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.scorer import AGREEMENT, DIVERSITY
from milan_core.scoring.tables import Score

COLUMNS = ("model", "method", "metric", "value", "low", "high", "n", "p")
HELD = sentences.Trained(True)


def table(tmp_path, *rows):
    write_csv(tmp_path / "t.csv", COLUMNS, [(*row, "")[:8] for row in rows])
    return Table(tmp_path / "t.csv", ("model", "method", "metric"))


def write_tables(results):
    rows = [
        Score("pmi", "concept_accuracy", 0.5, 0.4, 0.6, 2),
        Score("pmi", "bert_score-f", 0.62, 0.6, 0.64, 3),
        Score("constant", "concept_accuracy", 0.1, 0.05, 0.2, 2),
        Score("constant", "concept_accuracy:lead-of-pmi", 0.4, 0.3, 0.5, 2, 2, 0.01),
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
        values |= {"gain_low": -0.1, "gain_high": 0.1, "gain_p": 1.0}
        sweep.append({"lambda": weight, **values, "n": 2})
    write_sweep(results / "sweep.csv", sweep)
    joined = tables.joined_sweeps([facts], [results / "sweep.csv"])
    path = results / "generalization/lambda.csv"
    write_csv(path, list(joined[0]), [list(row.values()) for row in joined])
    write_csv(results / "generalization/paired.csv", PAIRED, [])
    write_csv(results / "generalization/masks.csv", MASKS, [])
    write_figure(results / "generalization/lambda.svg", lambda_figure(joined, 0.2))


def test_the_section_reads_tables_of_both_experiments(tmp_path):
    write_tables(tmp_path)
    general = tmp_path / "generalization"
    step = ControlsSection(
        generalization=general / "table.csv",
        baselines=tmp_path / "baselines/table.csv",
        paired=general / "paired.csv",
        masks=general / "masks.csv",
        lambdas=general / "lambda.csv",
        lambda_figure=general / "lambda.svg",
        options=ControlsOptions(weight=0.2, probes={"net_a": "probe", "net_b": "probe"}),
        section=tmp_path / "controls/section.json",
    )
    step.run(Compute())
    section = read_section(step.section)
    assert section.paragraphs[0].startswith("net_a: 1 of 2 units with a specific concept")
    assert "clearly below (difference +40 points)" in section.paragraphs[0]
    text = "with λ = 0.2 instead of 0 the accuracy goes from 50% to 50% (no clear change, there"
    assert any(text in paragraph for paragraph in section.paragraphs)
    paths = [item.path for item in section.items]
    assert paths == ["../generalization/lambda.svg", "../generalization/lambda.csv"]
    step.model_copy(update={"baselines": None}).run(Compute())
    assert not any("net_a: 1 of" in text for text in read_section(step.section).paragraphs)


def test_a_share_has_its_interval():
    assert sentences.share(Figure(0.5, 0.4, 0.6)) == "50% [40–60]"
    assert sentences.share(Figure(0.5)) == "50%"


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (0.3, 0.5, 0.01, "clearly below"),
        (-0.1, 0.2, 0.3, "too close to tell apart"),
        (-0.5, -0.3, 0.01, "they fail this test"),
    ],
)
def test_the_verdict_follows_the_adjusted_p(tmp_path, low, high, p, expected):
    lead = (low + high) / 2
    found = table(
        tmp_path,
        ("m", "pmi", "concept_accuracy", 0.5, 0.4, 0.6, 9),
        ("m", "constant", "concept_accuracy", 0.5 - lead, 0, 1, 9),
        ("m", "constant", "concept_accuracy:lead-of-pmi", lead, low, high, 9, p),
        ("m", "constant", "bert_score-f:lead-of-pmi", lead, low, high, 9, p),
        ("m", "pmi", "bert_auc", 0.68, "", "", 9),
    )
    [text] = sentences.accuracy_sentences(["m"], found, HELD)
    assert expected in text
    assert ("would have been seen" in text) == (p > 0.05)
    assert "The best control that never sees the unit" in text
    bert = sentences.bert_sentence(["m"], found) or ""
    assert ("does not separate" in bert) == (low <= 0)
    assert "(AUC, chance 0.5): m 0.68" in bert


def test_verdicts_on_several_networks_are_one_family(tmp_path):
    """p .03 on each of two networks: clear alone, not when both are asked about."""
    rows = [
        row
        for model in ("m", "n")
        for row in (
            (model, "pmi", "concept_accuracy", 0.5, 0.4, 0.6, 90),
            (model, "constant", "concept_accuracy", 0.4, 0.3, 0.5, 90),
            (model, "constant", "concept_accuracy:lead-of-pmi", 0.1, 0.01, 0.2, 90, 0.03),
        )
    ]
    found = table(tmp_path, *rows)
    assert "clearly below" in sentences.accuracy_sentences(["m"], found, HELD)[0]
    for text in sentences.accuracy_sentences(["m", "n"], found, HELD):
        assert "too close to tell apart" in text


def test_the_best_control_says_what_it_sees(tmp_path):
    found = table(
        tmp_path,
        ("m", "pmi", "concept_accuracy", 0.5, 0.4, 0.6, 90),
        ("m", "shuffled_masks", "concept_accuracy", 0.4, 0.3, 0.5, 90),
        ("m", "constant_oracle", "concept_accuracy", 0.2, 0.3, 0.5, 90),
        ("m", "whole_image", "concept_accuracy", 0.06, 0.3, 0.5, 90),
    )
    [text] = sentences.accuracy_sentences(["m"], found, HELD)
    assert "on the unit's own images under the masks of other units, reaches 40%" in text
    assert "the best fixed word, chosen on these very units, reaches 20%" in text
    masks = sentences.mask_sentence(["m"], found) or ""
    assert "m 6%" in masks
    assert "no evidence that masks matter" in masks


def test_rows_that_rest_on_the_encoder_say_so(tmp_path):
    found = table(
        tmp_path, *((m, "pmi", "concept_accuracy", 0.5, 0.4, 0.6, 90) for m in ("e", "v", "r"))
    )
    facts = EncoderFacts(name="e", read_layers=["b.4"], students=["v"])
    trained = sentences.Trained(True, facts)
    texts = sentences.accuracy_sentences(["e", "v", "r"], found, trained)
    assert "reads its features" in texts[0]
    assert "features which this network was taught" in texts[1]
    assert "never saw this network" in texts[2]
    assert "never saw" not in texts[0] + texts[1]
    text = encoder_sentence(facts)
    assert "b.4 are described and are read" in text
    assert "v learned to predict the encoder's features" in text
    assert encoder_sentence(EncoderFacts()) == ""
    evidence = Evidence(methods=[], labels="", same_images=False)
    row = {"model": "v", "method": "pmi", "bert_score-f": 0.5}
    assert text in methods_section([row], evidence, [], facts).paragraphs


def test_within_and_held_out_are_compared_on_the_same_units():
    row = {"experiment": HELD_OUT, "test": "m", "within": "0.87", "here": "0.74", "units": "60"}
    row |= {"cost": "0.1", "low": "-0.02", "high": "0.23", "p": "0.1", "holm": "0.4"}
    text = sentences.within_sentence([row]) or ""
    assert "m 87% against 74% of 60 units (not told apart, p 0.400)" in text
    assert "only a difference of 18 points or more would have been seen" in text
    clear = sentences.within_sentence([row | {"holm": "0.01"}]) or ""
    assert "clearly better, p 0.010" in clear
    assert sentences.within_sentence([]) is None
    assert text.endswith("The latter also learn from a different number of units.")
    few = row | {"units": "8", "within": "0.75", "here": "0.5"}
    assert "m 6 against 4 of 8 units" in (sentences.within_sentence([few]) or "")


def test_annotators_are_no_ceiling_and_why(tmp_path):
    found = table(
        tmp_path,
        ("m", "annotators", "bert_score-f", 0.63, "", "", 9),
        ("m", "pmi_two_references", "bert_score-f", 0.72, "", "", 9),
    )
    text = sentences.ceiling_sentence(["m"], found) or ""
    assert "m 0.72 against 0.63" in text
    assert "The annotators are no ceiling: they draw among synonyms" in text


def test_no_numbers_no_sentences(tmp_path):
    empty = table(tmp_path, ("m", "pmi", "bleu", "", "", "", 0))
    assert sentences.accuracy_sentences(["m"], empty, HELD) == []
    assert sentences.mask_sentence(["m"], empty) is None
    assert sentences.bert_sentence(["m"], empty) is None
    assert sentences.ceiling_sentence(["m"], empty) is None
    assert sentences.lambda_sentences({"s": []}, 0.2) == []
    assert not Table(None, ("x",))
    assert not average([]).exists


def test_a_lone_accuracy_is_stated_without_a_rival(tmp_path):
    found = table(tmp_path, ("m", "pmi", "concept_accuracy", 0.5, "", "", 9))
    [text] = sentences.accuracy_sentences(["m"], found, HELD)
    assert text.startswith("m: 4.5 of 9 units"), "a mean over trials"
    assert sentences.share(Figure(0.5, 0.4, 0.6, 10)) == "50% [40–60]"


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
            **{"gain_low": gain - 0.05, "gain_high": gain + 0.05, "gain_p": 0.01 if gain else 1},
        },
    ]
    [text] = sentences.lambda_sentences({"s": rows}, 0.2)
    assert words in text
    assert ("no other λ tried is more accurate" in text) == (gain >= 0)


def test_of_equal_lambdas_none_is_the_most_accurate():
    """The weight of the run is as accurate as a smaller one: no other is more accurate."""
    rows = [
        {"lambda": weight, "concept_accuracy": value, "distinct": 9.0, "mean_information": 4.0}
        for weight, value in ((0.0, 0.5), (0.1, 0.75), (0.2, 0.75))
    ]
    [text] = sentences.lambda_sentences({"s": rows}, 0.2)
    assert text.endswith("no other λ tried is more accurate.")
    [text] = sentences.lambda_sentences({"s": [*rows, rows[2] | {"lambda": 0.4}]}, 0.0)
    assert "the most accurate λ tried is 0.1 (75%" in text


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


def test_p_of_a_gain_by_lambda_is_one_p_of_its_trials(tmp_path):
    """Twice the median as everywhere, not the mean of p values."""
    rows = [("s", trial, 0.2, p) for trial, p in enumerate((0.01, 0.04, 0.3))]
    write_csv(tmp_path / "l.csv", ("split", "trial", "lambda", "gain_p"), rows)
    assert lambda_rows(tmp_path / "l.csv")["s"][0]["gain_p"] == pytest.approx(0.08)
    write_csv(tmp_path / "l.csv", ("split", "trial", "lambda", "gain_p"), rows[:1])
    assert lambda_rows(tmp_path / "l.csv")["s"][0]["gain_p"] == 0.01
