"""Table 3 from made-up trials whose figures are known."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.section import Section
from milan_core.experiments.generalization.figure import layers_figure, transfer_figure
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN, TrialFacts
from milan_core.experiments.generalization.overlap import Known
from milan_core.experiments.generalization.section import transfer_section
from milan_core.experiments.generalization.transfer import transfer
from milan_core.experiments.generalization.trials import Trial
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.tables import Score, Truth

UNITS = [("c", unit) for unit in range(40)]
TRUTH = {"net": {(c, u): Truth(f"dog {u % 20}", "object", 1, 15, True, ("dog",)) for c, u in UNITS}}


def trial(experiment, train, seed, right, tested=40, greedy=0.25, p=0.001):
    """A trial in which the first `right` units are named; the first `tested` are tested."""
    value = right / tested
    scores = [
        Score("pmi", "concept_accuracy", value, value - 0.1, value + 0.1, tested),
        Score("greedy", "concept_accuracy", greedy, n=tested),
        Score("greedy", "concept_accuracy:lead-of-pmi", value - greedy, 0.01, 0.9, tested, 20, p),
        Score("constant_oracle", "concept_accuracy", 0.1, n=tested),
        Score("constant_oracle", "concept_accuracy:lead-of-pmi", value - 0.1, 0.01, 0.9, 40, 20, p),
        Score("pmi", "concept_accuracy:layer=c", value, n=tested),
    ]
    facts = {"experiment": experiment, "split": "s", "train": train, "test": "net", "seed": seed}
    facts |= {"train_side": "+".join(train), "test_side": "net", "primary": True}
    texts = {key: "a dog" if key[1] < right else "a cat" for key in UNITS}
    by_key = {(row.method, row.metric): row for row in scores}
    return Trial(TrialFacts(**facts), by_key, texts, UNITS[:tested])


def test_known_costs():
    trials = [
        trial(WITHIN, ["net"], 0, right=18, tested=20),
        trial(HELD_OUT, ["a", "b"], 0, right=10),
        trial(HELD_OUT, ["a", "b"], 1, right=10),
        trial("across tasks", ["g"], 0, right=40),
    ]
    results = transfer(trials, TRUTH, Bootstrap(0, 500))
    rows = {row["experiment"]: row for row in results.rows}
    assert rows[HELD_OUT]["accuracy"] == pytest.approx(10 / 40)
    assert (rows[HELD_OUT]["trials"], rows[HELD_OUT]["train"]) == (2, "a+b")
    paired = {row["experiment"]: row for row in results.paired}
    # the 20 tested units: 18 right within; 10 of them right when trained on others
    assert paired[HELD_OUT]["cost"] == pytest.approx(18 / 20 - 10 / 20)
    assert paired[HELD_OUT]["low"] > 0
    assert paired["across tasks"]["cost"] == pytest.approx(-0.1)
    assert paired["across tasks"]["units"] == 20
    assert [row["trial"] for row in results.layers] == [0, 0, 1, 0]
    assert paired[HELD_OUT]["concepts"] == 20
    assert paired[HELD_OUT]["holm"] == pytest.approx(2 * paired[HELD_OUT]["p"])
    text = " ".join(transfer_section(results).paragraphs)
    assert "learning elsewhere costs accuracy clearly in 1 of 2 rows" in text
    assert "does not confirm the paper" in text
    assert "ahead of greedy p(d|E) in concept accuracy in 2 of 3 rows" in text
    assert "“Clearly” means p below 0.05 after Holm's adjustment" in text
    assert "names 10% to 10% of their concepts. Every row is clearly ahead of it." in text
    for svg in (transfer_figure(results.rows), layers_figure(results.layers)):
        assert svg.startswith("<?xml")


def test_rows_are_counted_only_after_adjustment():
    """Three intervals exclude zero; after Holm's adjustment none of the three p is below 0.05."""
    trials = [trial(name, ["a"], 0, right=30, p=0.03) for name in ("x", "y", "z")]
    results = transfer(trials, TRUTH, Bootstrap(0, 200))
    assert [row["lead_holm"] for row in results.rows] == pytest.approx([0.09] * 3)
    text = " ".join(transfer_section(results).paragraphs)
    assert "in concept accuracy in 0 of 3 rows, clearly behind in 0" in text
    assert "3 rows show no clear difference, and there only a difference of 64 points" in text


def test_several_seeds_widen_the_interval():
    one = transfer([trial(HELD_OUT, ["a"], 0, right=20)], TRUTH, Bootstrap(0, 500)).rows[0]
    trials = [trial(HELD_OUT, ["a"], seed, right) for seed, right in enumerate((8, 20, 32))]
    several = transfer(trials, TRUTH, Bootstrap(0, 500)).rows[0]
    assert several["accuracy"] == pytest.approx(one["accuracy"])
    assert several["high"] - several["low"] > 0.5 > one["high"] - one["low"]


def test_two_seeds_that_differ_are_little_evidence():
    """6 and 14 of 20 right in two seeds: the same mean cost, and no longer clear."""
    trials = [trial(WITHIN, ["net"], 0, right=18, tested=20)]
    trials += [trial(HELD_OUT, ["a"], seed, right) for seed, right in ((0, 6), (1, 14))]
    [row] = transfer(trials, TRUTH, Bootstrap(0, 500)).paired
    assert row["cost"] == pytest.approx(0.4)
    assert row["low"] < 0 < row["high"]
    assert row["p"] > 0.05


def test_a_row_near_the_best_fixed_word_is_named():
    """Paired on the same units: an interval of one above the share of the other is no test."""
    near = trial(HELD_OUT, ["a"], 0, right=20, p=0.04)  # 50 % [40, 60] and a word with 10 %
    far = trial(HELD_OUT, ["a", "b"], 0, right=40, p=0.001)
    results = transfer(
        [near, far, trial("z", ["c"], 0, right=20, p=0.02)], TRUTH, Bootstrap(0, 200)
    )
    assert [row["oracle_lead_holm"] for row in results.rows] == pytest.approx([0.04, 0.003, 0.04])
    results = transfer([near, far, trial("z", ["c"], 0, right=20, p=0.3)], TRUTH, Bootstrap(0, 200))
    text = " ".join(transfer_section(results).paragraphs)
    assert "Not clearly ahead of it on the same units: a to net, c to net; there only a" in text


def test_costs_without_near_duplicates_stand_beside():
    """The first ten tested units have a near-duplicate in training and are all right within."""
    trials = [
        trial(WITHIN, ["net"], 0, right=10, tested=20),
        trial(HELD_OUT, ["a", "b"], 0, right=0),
    ]
    known = {
        key: Known(0.9, 0.7 if key[1] < 10 else 0.1, key[1] < 15, key[1] < 10) for key in UNITS
    }
    results = transfer(trials, TRUTH, Bootstrap(0, 200), {("s", "net"): known})
    [row] = results.paired
    assert (row["cost"], row["units"]) == (0.5, 20)
    assert (row["cost_apart"], row["units_apart"]) == (0.0, 10)
    within = results.overlap[0]
    assert [within[name] for name in ("tested", "related", "duplicates")] == [20, 15, 10]
    assert within["seen"] == pytest.approx(0.9)
    assert [within[f"accuracy_{place}"] for place in range(3)] == [0.0, "", 1.0]
    text = " ".join(transfer_section(results).paragraphs)
    assert "net +50 points over 20 units, ±0 points [±0, ±0] over 10" in text
    assert "a relative in training (the same channel of a residual stream" in text
    assert "net 15 (10) of 20" in text
    assert "Within networks, 90% to 90% of the exemplars" in text


def test_accuracy_rises_with_what_training_saw():
    trials = [trial(HELD_OUT, ["a", "b"], 0, right=20)]
    known = {key: Known(0.9, 0.7 if key[1] < 20 else 0.1, False, False) for key in UNITS}
    results = transfer(trials, TRUTH, Bootstrap(0, 200), {("s", "net"): known})
    text = " ".join(transfer_section(results).paragraphs)
    assert "net 0% / too few / 100%. Where it rises, part of it is recognizing seen" in text


def test_without_within_networks_nothing_is_paired():
    results = transfer([trial(HELD_OUT, ["a"], 0, right=8)], TRUTH, Bootstrap(0, 200))
    assert results.paired == []
    section = transfer_section(results)
    assert isinstance(section, Section)
    assert len(section.paragraphs) == 3


def test_captioners_are_compared_on_the_same_units_only():
    other = trial(HELD_OUT, ["a"], 0, right=8)
    trials = [trial(WITHIN, ["net"], 0, right=8), Trial(other.facts, other.scores, {}, [])]
    with pytest.raises(UserError, match=r"of 'net' by split 's': 40 .* are missing"):
        transfer(trials, TRUTH, Bootstrap(0, 200))
