"""Scores of a split: exact figures of a hand-made world, baselines, intervals, refusals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.scoring import trivial
from milan_core.scoring.beside import score_beside
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import RougeScorer
from milan_core.scoring.references import References, Training, join
from milan_core.scoring.scorer import Scorer
from milan_core.scoring.tables import (
    SCORES,
    TRUTH,
    Score,
    Truth,
    read_descriptions,
    read_methods,
    read_scores,
    read_truth,
    write_scores,
)

UNITS = (("conv1", 0), ("conv1", 1), ("conv2", 0), ("conv2", 1))
CONCEPTS = ("dog", "cat", "text", "blur")
TEXTS = ["dogs on grass", "a red dog", "words", "blue"]


def truth_of(concept: str) -> Truth:
    accept = {"text": ("text", "word"), "dog": ("dog", "puppy")}.get(concept, (concept,))
    tier = {"text": "text", "blur": "none"}.get(concept, "object")
    return Truth(concept, tier, 0.9, 12, concept != "blur", accept)


@pytest.fixture
def references() -> References:
    texts = tuple((c, f"the {c}", f"{c} and sky") for c in CONCEPTS)
    return References(UNITS, texts, tuple(map(truth_of, CONCEPTS)))


class LengthBert:
    """Stands in for BERTScore: F is 1 when prediction and some reference have equal lengths."""

    def score(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]], idf_from: object
    ) -> np.ndarray:
        assert idf_from
        hits = [
            float(any(len(p) == len(r) for r in refs))
            for p, refs in zip(predictions, references, strict=True)
        ]
        return np.stack([hits] * 3, axis=1)


def run(
    references: References,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008
    bert: Any = None,
    others: Any = None,
) -> dict[tuple[str, str], Score]:
    training = Training(["dog", "a dog", "cat", "dog"], [truth_of("dog"), truth_of("cat")])
    predictions = dict(zip(UNITS, TEXTS, strict=True))
    rows = score_beside(predictions, Scorer(references, training, bootstrap, bert), others)
    assert len({(row.method, row.metric) for row in rows}) == len(rows)
    return {(row.method, row.metric): row for row in rows}


def test_accuracy_over_specific_units_by_tier_and_layer(references: References) -> None:
    found = run(references)
    whole = found["pmi", "concept_accuracy"]
    assert (whole.value, whole.n) == (pytest.approx(2 / 3), 3)
    assert 0 <= whole.low <= whole.value <= whole.high <= 1
    of_layer = found["pmi", "concept_accuracy:layer=conv2"]
    assert (of_layer.n, math.isnan(of_layer.value)) == (1, True), "one unit has no share"
    assert found["pmi", "concept_accuracy:tier=object"].n == 2
    assert whole.clusters == 3
    assert ("pmi", "concept_accuracy:tier=none") not in found


def test_shares_of_layers_and_tiers_need_ten_units() -> None:
    units = tuple(("a" if unit < 10 else "b", unit) for unit in range(19))
    truth = tuple(truth_of("dog" if unit % 2 else "cat") for unit in range(19))
    scorer = Scorer(References(units, (), truth), Training(["dog"]), Bootstrap(0, 200))
    rows = {row.metric: row for row in scorer.rows("pmi", scorer.measure([["a dog"] * 19]))}
    assert rows["concept_accuracy:layer=a"].value == 0.5
    assert math.isnan(rows["concept_accuracy:layer=b"].value)
    assert rows["concept_accuracy"].clusters == 2
    assert rows["false_names"].value == pytest.approx(10 / 19)


def test_units_of_one_concept_are_one_cluster() -> None:
    concepts = ("dog", "cat", "dog", "blur", "blur")
    units = tuple(("c", unit) for unit in range(5))
    truth = tuple(map(truth_of, concepts))
    assert References(units, (), truth).clusters.tolist() == [0, 1, 0, 2, 3]
    assert References(units).clusters.tolist() == [0, 1, 2, 3, 4]
    groups = (7, 7, 3, 5, 5)
    assert References(units, (), truth, groups).clusters.tolist() == [0, 1, 0, 2, 2], "by group"
    assert References(units, groups=groups).clusters.tolist() == [0, 0, 1, 2, 2]


def test_the_oracle_constant_is_right_most_often_on_the_tested_units() -> None:
    truth = [truth_of(name) for name in ("cat", "dog", "dog", "blur")]
    assert trivial.oracle_constant(truth) == "dog"
    with pytest.raises(ValueError, match="specific unit"):
        trivial.oracle_constant([truth_of("blur")])


def test_baselines_stand_beside_on_the_same_units(references: References) -> None:
    found = run(references)
    assert found["constant", "concept_accuracy"].value == pytest.approx(1 / 3)
    assert found["most_frequent", "concept_accuracy"].value == pytest.approx(1 / 3)
    assert found["constant_concept", "concept_accuracy"].value == pytest.approx(1 / 3)
    assert found["constant_oracle", "concept_accuracy"].value == pytest.approx(1 / 3)
    assert found["annotators", "concept_accuracy"].value == 1.0
    assert 0 < found["shuffled_prediction", "concept_accuracy"].value < 2 / 3
    lead = found["constant", "concept_accuracy:lead-of-pmi"]
    assert lead.value == pytest.approx(1 / 3)
    assert lead.low <= lead.value <= lead.high
    assert 0 < lead.p <= 1
    assert found["constant", "distinct"].value == 1
    assert found["shuffled_prediction", "distinct"].value == found["pmi", "distinct"].value == 4


def test_bertscore_rows_and_other_tables(references: References) -> None:
    plain = {"plain": dict.fromkeys(UNITS, "dog")}
    found = run(references, bert=LengthBert(), others=plain)
    assert found["pmi", "bert_score-f"].value == 0.25  # "blue" is as long as "blur"
    assert found["plain", "bert_score-f"].value == 0.5  # three letters: dog and cat
    assert found["plain", "bert_score-f:lead-of-pmi"].value == pytest.approx(-0.25)
    assert ("annotators", "bert_score-f:lead-of-pmi") not in found  # it has fewer references
    assert ("pmi", "bert_score-f") not in run(references)


def test_scores_are_reproducible_and_depend_on_the_seed(references: References) -> None:
    assert repr(run(references, bootstrap=Bootstrap(3))) == repr(
        run(references, bootstrap=Bootstrap(3))
    )
    assert repr(run(references, bootstrap=Bootstrap(3))) != repr(
        run(references, bootstrap=Bootstrap(4))
    )


def test_scores_survive_a_round_trip(references: References, tmp_path: Path) -> None:
    rows = list(run(references).values())
    write_scores(tmp_path / "scores.csv", rows)
    assert repr(read_scores(tmp_path / "scores.csv")) == repr(rows)
    header = (tmp_path / "scores.csv").read_text().splitlines()[0]
    assert header == ",".join(SCORES) == "method,metric,value,low,high,n,clusters,p"


def test_descriptions_of_another_model_are_refused(references: References) -> None:
    scorer = Scorer(references, Training(["dog"]), Bootstrap())
    with pytest.raises(UserError, match=r"1 \(such as layer 'conv9' unit 7\) are only in"):
        score_beside({**dict(zip(UNITS, TEXTS, strict=True)), ("conv9", 7): "x"}, scorer)
    with pytest.raises(UserError, match="different models or runs"):
        score_beside({UNITS[0]: "dog"}, scorer)
    annotations = {UNITS[0]: ("dog",)}
    with pytest.raises(UserError, match="the annotations and the truth table"):
        join(annotations, {UNITS[1]: truth_of("dog")})
    with pytest.raises(UserError, match="have no annotation"):
        join(annotations, {UNITS[0]: truth_of("dog")}, [UNITS[2]])


def test_constants() -> None:
    captions = ["Red dog.", "red dog", "blue dog", "cat"]
    assert trivial.most_frequent(captions) == "red dog"
    assert trivial.agreement_constant(captions) == "red dog"
    assert trivial.agreement_constant(["dog", "a dog", "the dog"]) == "dog"
    truth = [truth_of("cat"), truth_of("cat"), truth_of("dog"), truth_of("blur")]
    assert trivial.accuracy_constant(captions, truth) == "cat"
    for function in (trivial.most_frequent, trivial.agreement_constant):
        with pytest.raises(ValueError, match="training caption"):
            function([". ", ""])


def test_agreement_constant_maximises_the_mean_of_rouge_1() -> None:
    captions = ["a red dog", "dog on grass", "red grass", "dog", "a cat", "a dog on red grass"]
    best = trivial.agreement_constant(captions)
    means = {
        text: RougeScorer().score([text], [captions])["rouge-1-f"]
        for text in dict.fromkeys(captions)
    }
    assert means[best] == pytest.approx(max(means.values()), abs=1e-6)


def test_annotator_rounds_leave_one_out(references: References) -> None:
    rounds = trivial.annotator_rounds(references)
    assert len(rounds) == 3
    said, others = rounds[1]
    assert said[0] == "the dog"
    assert others[0] == ("dog", "dog and sky")
    single = References(UNITS[:1], (("dog",),), (truth_of("dog"),))
    assert trivial.annotator_rounds(single) == []


def test_permutations_deal_every_description_once() -> None:
    orders = trivial.permutations(["a"] * 50, seed=1)
    assert orders.shape == (20, 50)
    assert all(sorted(order) == list(range(50)) for order in orders)
    np.testing.assert_array_equal(orders, trivial.permutations(["a"] * 50, seed=1))


def test_interval_covers_a_known_mean() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    bootstrap = Bootstrap(seed=0)
    low, high = bootstrap.interval(values, "x")
    assert low == pytest.approx(0.40, abs=0.02)  # normal approximation: .5 -+ 1.96 * .05
    assert high == pytest.approx(0.60, abs=0.02)
    assert bootstrap.interval(values, "x") == (low, high)
    assert bootstrap.interval(np.append(values, math.nan), "x") == (low, high)
    assert all(math.isnan(end) for end in bootstrap.interval(np.array([1.0])))
    assert bootstrap.paired(values, values) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="one shape"):
        bootstrap.paired(values, values[1:])


def test_tables_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    write_csv(
        path,
        ["layer", "unit", "description", "side"],
        [["c", 0, "dog", "train"], ["c", 1, "", "test"]],
    )
    assert read_descriptions(path, "test") == {("c", 1): ""}
    with pytest.raises(UserError, match="no description of side 'none'"):
        read_descriptions(path, "none")
    write_csv(path, ["layer", "unit", "description"], [["c", 0, "a"], ["c", 0, "b"]])
    with pytest.raises(UserError, match="layer 'c' unit 0 appears twice"):
        read_descriptions(path)
    write_csv(path, ["layer", "unit", "description"], [["c", "zero", "a"]])
    with pytest.raises(UserError, match="layer 'c': unit must be a number from 0, got 'zero'"):
        read_descriptions(path)
    columns = ["method", "layer", "unit", "description"]
    write_csv(path, columns, [["x", "c", 0, "a"], ["y", "c", 0, "b"]])
    assert read_methods(path) == {"x": {("c", 0): "a"}, "y": {("c", 0): "b"}}
    write_csv(path, columns, [["x", "c", 0, "a"], ["x", "c", 0, "b"]])
    with pytest.raises(UserError, match=r"\(x\): layer 'c' unit 0 appears twice"):
        read_methods(path)

    write_csv(path, TRUTH, [["c", 0, "dog", "object", 0.75, 9, 1, "dog;puppy"]])
    assert read_truth(path) == {("c", 0): Truth("dog", "object", 0.75, 9, True, ("dog", "puppy"))}
    write_csv(path, TRUTH, [["c", 0, "dog", "object", "much", 9, 1, "dog"]])
    with pytest.raises(UserError, match="layer 'c' unit 0"):
        read_truth(path)
