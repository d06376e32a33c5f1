"""Calibrations and decisions: files, refusals, recalibration on one's own units, statuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.describers.abstention.calibration import (
    Annotated,
    calibrate,
    load_calibration,
    recalibrate,
)
from milan_core.describers.abstention.conformal import NOBODY
from milan_core.describers.abstention.decision import decide
from milan_core.describers.abstention.evidence import FEATURES, Evidence
from milan_core.describers.abstention.options import one_cell
from milan_core.describers.abstention.tables import (
    Measured,
    read_annotated,
    read_evidence,
    rightness,
    write_evidence,
)
from milan_core.scoring.tables import Truth

CONSENSUS = FEATURES.index("consensus")


def units(n: int = 300, seed: int = 0, shift: float = 0.0) -> Annotated:
    """Units whose consensus says how often they are right."""
    rng = np.random.default_rng(seed)
    features = rng.random((n, len(FEATURES)))
    odds = 6 * features[:, CONSENSUS] - 1.5 + shift
    right = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    return Annotated(features, np.ones(n, bool), right)


def fitted(alpha: float = 0.1):
    networks = {name: units(seed=seed) for seed, name in enumerate("abc")}
    return calibrate(networks, "test", alpha)


def evidence(n: int = 120, seed: int = 7) -> Evidence:
    one = units(n, seed)
    keys = [("layer", unit) for unit in range(n)]
    return Evidence(
        keys, ["cats"] * n, one.features, np.full(n, 0.01), one.passed, [("cats", "dogs")] * n
    )


def test_a_calibration_reads_back(tmp_path: Path) -> None:
    """The stored numbers are the numbers that decide; its sources are counted."""
    made = fitted()
    made.save(tmp_path / "c.json")
    read = load_calibration(tmp_path / "c.json")
    assert read == made
    assert read.units == 900
    assert [one.name for one in read.sources] == ["a", "b", "c"]
    other = units(2000, 9)
    p = read.confidence(other.features, other.passed)
    answered = p >= read.threshold
    assert 0.3 < answered.mean() < 1
    assert np.mean(answered & (other.right == 0)) < 0.13
    assert read.confidence(other.features, ~other.passed).max() == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": "x"}, "expected a calibration"),
        ({"version": 2}, "version"),
        ({"weights": [1.0]}, "calibrate again"),
        ({"features": ["stability"]}, "calibrate again"),
        ({"threshold": "high"}, "threshold"),
        ({"surplus": 1}, "unknown key"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: dict, expected: str) -> None:
    """With the file and what is wrong with it."""
    fitted().save(tmp_path / "c.json")
    record = json.loads((tmp_path / "c.json").read_text())
    (tmp_path / "c.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(UserError, match=expected):
        load_calibration(tmp_path / "c.json")


def test_one_sided_networks_cannot_calibrate() -> None:
    """All right says nothing of wrong."""
    one = units()
    with pytest.raises(UserError, match="expected right and wrong ones"):
        calibrate({"a": Annotated(one.features, one.passed, np.ones(300))}, "test")


def test_recalibration_moves_the_odds_and_keeps_the_order() -> None:
    """On a network that is wrong more often, probabilities fall and the bound holds."""
    shipped, shift = fitted(), -2.0
    own = recalibrate(shipped, units(400, 3, shift), "mine.csv", "test")
    assert own.weights == shipped.weights
    assert own.own is not None
    assert own.own.name == "mine.csv"
    assert own.units == 400
    fresh = units(4000, 4, shift)
    before, after = (c.confidence(fresh.features, fresh.passed) for c in (shipped, own))
    assert (np.argsort(before) == np.argsort(after)).all()
    assert abs(after.mean() - fresh.right.mean()) < 0.05 < abs(before.mean() - fresh.right.mean())
    assert np.mean((before >= shipped.threshold) & (fresh.right == 0)) > 0.12
    assert np.mean((after >= own.threshold) & (fresh.right == 0)) < 0.12


@pytest.mark.parametrize(
    ("annotated", "expected"),
    [
        (units(59), "59 annotated units, expected 60 or more"),
        (Annotated(*(x[:60] for x in (units().features, units().passed)), np.ones(60)), "60 right"),
        (Annotated(units(100).features, units(100).passed, 1 - units(100).right), "AUC 0"),
        (Annotated(units(100).features, np.zeros(100, bool), units(100).right), "no threshold"),
    ],
)
def test_poor_annotations_are_refused(annotated: Annotated, expected: str) -> None:
    """Too few, one-sided, turned around, and units that are noise."""
    with pytest.raises(UserError, match=f"mine.csv: .*{expected}"):
        recalibrate(fitted(), annotated, "mine.csv", "test")


def test_a_bound_that_so_few_units_cannot_keep_is_refused() -> None:
    """1 / (m + 1) <= alpha: of 60 units no threshold keeps .01, and nothing would be answered."""
    few = units(60)
    expected = r"60 annotated units, expected 99 or more for an alpha of 0\.01"
    with pytest.raises(UserError, match=expected):
        recalibrate(fitted(), few, "mine.csv", "test", alpha=0.01)
    strict = fitted().model_copy(update={"alpha": 0.01})
    with pytest.raises(UserError, match=expected):
        recalibrate(strict, few, "mine.csv", "test")
    assert recalibrate(strict, few, "mine.csv", "test", alpha=0.1).alpha == 0.1


def test_statuses() -> None:
    """Null test, threshold and stability, each alone."""
    one = evidence()
    stability = FEATURES.index("stability")
    one.features[:, stability] = 0.9
    one.features[:, CONSENSUS] = 1.0
    one.passed[0] = False
    one.features[1, CONSENSUS] = 0.0
    one.features[2, stability] = 0.4
    one.features[3, stability] = math.nan
    decisions = decide(one, fitted())
    statuses = [decision.status for decision in decisions[:5]]
    assert statuses == ["unreliable", "unreliable", "several", "described", "described"]
    assert decisions[0].confidence == 0
    assert [d.shown for d in decisions[:3]] == ["no reliable description"] * 2 + ["cats / dogs"]
    nobody = decide(one, fitted().model_copy(update={"threshold": NOBODY}))
    assert not any(decision.answered for decision in nobody)


def test_evidence_reads_back(tmp_path: Path) -> None:
    """Every column, with absent numbers; a second round changes no byte."""
    one = evidence()
    one.features[0, 0] = math.nan
    truth = {
        ("layer", 0): Truth("cat", "object", 0.8, 12, True, ("cat", "kitten")),
        ("layer", 1): Truth("dog", "object", 0.8, 12, True, ("dog",)),
        ("layer", 2): Truth("dog", "object", 0.1, 1, False, ("dog",)),
    }
    right = rightness(one, truth)
    assert right[:2].tolist() == [1, 0]
    assert np.isnan(right[2:]).all()
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    write_evidence(first, Measured(one, right, evidence(120, 8)))
    read = read_evidence(first)
    write_evidence(second, read)
    assert first.read_bytes() == second.read_bytes()
    assert np.allclose(read.evidence.features, one.features, rtol=1e-5, equal_nan=True)
    assert np.allclose(read.noise.features[:, :2], evidence(120, 8).features[:, :2], rtol=1e-5)
    assert np.array_equal(read.noise.features[:, 3:], read.evidence.features[:, 3:])
    assert len(read.annotated().right) == 2


def test_a_bar_in_a_text_makes_no_second_text(tmp_path: Path) -> None:
    """Texts of one cell are read as they were written, whatever stands in them."""
    texts = [("cats | dogs",), ("a | b", "c|d", "|"), ("a\\", "\\| b"), ("plain", "texts")]
    one = replace(evidence(4), likely=texts)
    write_evidence(tmp_path / "e.csv", Measured(one, np.full(4, math.nan), one))
    assert read_evidence(tmp_path / "e.csv").evidence.likely == texts
    assert one_cell(texts[3]) == "plain | texts"


def test_damaged_evidence_is_refused(tmp_path: Path) -> None:
    """A word for a number, and a unit twice."""
    path = tmp_path / "e.csv"
    write_evidence(path, Measured(evidence(2), np.full(2, math.nan), evidence(2)))
    text = path.read_text()
    path.write_text(text.replace("0.01", "high", 1))
    with pytest.raises(UserError, match=r"e.csv, line 2: could not convert"):
        read_evidence(path)
    path.write_text(text.replace("layer,1,", "layer,0,"))
    with pytest.raises(UserError, match="two rows"):
        read_evidence(path)


def test_annotations_of_the_user(tmp_path: Path) -> None:
    """Yes and no, or a right text that shares a concept word."""
    path, one = tmp_path / "mine.csv", evidence(4)
    path.write_text("layer,unit,right\nlayer,2,yes\nlayer,0,No\n")
    assert read_annotated(path, one).right.tolist() == [1, 0]
    assert (read_annotated(path, one).features == one.features[[2, 0]]).all()
    path.write_text("layer,unit,text\nlayer,1,yellow cats\nlayer,3,dogs\n")
    assert read_annotated(path, one).right.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer,unit,verdict\nlayer,1,yes\n", "columns layer, unit and right"),
        ("layer,unit,right\n", "expected rows with the columns"),
        ("layer,unit,right\nlayer,1,perhaps\n", "line 2: right: expected yes or no, got 'perhaps'"),
        ("layer,unit,text\nlayer,1,\n", "line 2: text: expected a right description, got ''"),
        ("layer,unit,right\nlayer,1,yes\nlayer,1,no\n", "line 3: .* appears twice"),
        ("layer,unit,right\nlayer,9,yes\n", "unit 9.* no description here"),
        ("layer,unit,right\nlayer,one,yes\n", "one"),
    ],
)
def test_annotations_that_cannot_be_meant(tmp_path: Path, text: str, expected: str) -> None:
    """Each with the file and the place."""
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"mine\.csv.*{expected}"):
        read_annotated(path, evidence(4))


def test_what_is_shipped_can_be_used() -> None:
    """It has the features of today, is of several networks, and answers somebody, not all."""
    shipped = load_calibration()
    assert len(shipped.sources) >= 3
    assert shipped.own is None
    assert 0.5 < shipped.threshold < 1
    assert shipped.weights[CONSENSUS] > 0
