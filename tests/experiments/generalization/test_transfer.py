"""Table 3 from made-up trials whose figures are known."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv, write_json
from milan_core.core.section import read_section
from milan_core.experiments.generalization.transfer import write_transfer
from milan_core.plan.splits import HELD_OUT, WITHIN
from milan_core.scoring.bootstrap import Bootstrap

UNITS = 40
TRUTH = ("layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept")


@pytest.fixture
def trial(tmp_path):
    """A trial in which the first `right` tested units are named; the first half is tested."""

    def make(experiment, train, seed, right, tested=UNITS, greedy=0.25):
        folder = tmp_path / f"{experiment}-{seed}"
        rows = [
            ("c", unit, "a dog" if unit < right else "a cat", "test" if unit < tested else "train")
            for unit in range(UNITS)
        ]
        write_csv(folder / "d.csv", ("layer", "unit", "description", "side"), rows)
        truth = [("c", unit, "dog", "object", 1, 15, 1, "dog") for unit in range(UNITS)]
        write_csv(folder / "t.csv", TRUTH, truth)
        value = right / tested
        scores = [
            ("pmi", "concept_accuracy", value, value - 0.1, value + 0.1, tested),
            ("greedy", "concept_accuracy", greedy, "", "", tested),
            ("greedy", "concept_accuracy:lead-of-pmi", value - greedy, 0.01, 0.9, tested),
            ("pmi", "concept_accuracy:layer=c", value, "", "", tested),
        ]
        write_csv(folder / "s.csv", ("method", "metric", "value", "low", "high", "n"), scores)
        files = {"scores": folder / "s.csv", "descriptions": folder / "d.csv"}
        facts = {"experiment": experiment, "train": train, "test": "net", "seed": seed}
        facts |= {"learnt": "+".join(train), "described": "net"}
        return {**facts, **files, "truth": folder / "t.csv"}

    return make


def test_known_costs(trial, tmp_path):
    trials = [
        trial(WITHIN, ["net"], 0, right=18, tested=20),
        trial(HELD_OUT, ["a", "b"], 0, right=8),
        trial(HELD_OUT, ["a", "b"], 1, right=12),
        trial("across tasks", ["g"], 0, right=40),
    ]
    write_transfer(trials, tmp_path / "out", Bootstrap(0, 500))
    rows = {row["experiment"]: row for row in read_csv(tmp_path / "out/transfer.csv")}
    assert float(rows[HELD_OUT]["accuracy"]) == pytest.approx((8 + 12) / 2 / 40)
    assert rows[HELD_OUT]["trials"] == "2"
    assert rows[HELD_OUT]["train"] == "a+b"
    paired = {row["experiment"]: row for row in read_csv(tmp_path / "out/paired.csv")}
    # the 20 tested units: 18 right within; 8 and 12 of them right when learnt from others
    assert float(paired[HELD_OUT]["cost"]) == pytest.approx(18 / 20 - 10 / 20)
    assert float(paired[HELD_OUT]["low"]) > 0
    assert float(paired["across tasks"]["cost"]) == pytest.approx(-0.1)
    assert paired["across tasks"]["units"] == "20"
    layers = read_csv(tmp_path / "out/layers.csv")
    assert [row["trial"] for row in layers] == ["0", "0", "1", "0"]
    text = " ".join(read_section(tmp_path / "out/section.json").paragraphs)
    assert "clearly (the 95% interval of the paired difference excludes zero) in 1 of 2" in text
    assert "ahead of greedy p(d|E) in concept accuracy in 3 of 3 rows" in text


def test_without_within_networks_nothing_is_paired(trial, tmp_path):
    write_transfer([trial(HELD_OUT, ["a"], 0, right=8)], tmp_path / "out", Bootstrap(0, 200))
    assert read_csv(tmp_path / "out/paired.csv") == []
    assert len(read_section(tmp_path / "out/section.json").paragraphs) == 1


def test_captioners_are_compared_on_the_same_features_only(trial, tmp_path):
    trials = [trial(WITHIN, ["net"], 0, right=8, tested=20), trial(HELD_OUT, ["a"], 0, right=8)]
    for one, digest in zip(trials, "ab", strict=True):
        inputs = {"r/net/features/features.safetensors": digest, "r/captioner.json": digest}
        write_json(one["descriptions"].with_name("provenance.json"), {"inputs": inputs})
    with pytest.raises(UserError, match="other probe images"):
        write_transfer(trials, tmp_path / "out", Bootstrap(0, 200))
    write_json(trials[1]["descriptions"].with_name("provenance.json"), {"inputs": {}})
    write_transfer(trials, tmp_path / "out", Bootstrap(0, 200))
    for name in ("transfer.svg", "layers.svg"):
        assert (tmp_path / "out" / name).read_text().startswith("<?xml")
