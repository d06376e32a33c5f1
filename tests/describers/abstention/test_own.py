"""A network of the user's own: shipped calibration, then one on annotated units of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.describers.abstention.calibration import calibrate, load_calibration
from milan_core.describers.abstention.measure import Looked
from milan_core.describers.abstention.own import Asked, assess
from milan_core.describers.abstention.tables import read_evidence
from tests.describers.abstention.test_evaluation import UNITS, FakeJudge, measured, planted


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration on other planted networks."""
    path = tmp_path_factory.mktemp("shipped") / "calibration.json"
    networks = {f"net{seed}": measured(seed).annotated() for seed in range(1, 4)}
    calibrate(networks, "test", 0.1).save(path)
    return path


def annotate(path: Path, seed: int, count: int = UNITS) -> Path:
    """The user's answers on the first units of a planted network."""
    one = measured(seed)
    rows = [
        f"{layer},{unit},{'yes' if right else 'no'}"
        for (layer, unit), right in zip(one.evidence.keys, one.right, strict=True)
    ]
    path.write_text("layer,unit,right\n" + "\n".join(rows[:count]) + "\n")
    return path


def test_own_units_move_the_threshold(shipped: Path, tmp_path: Path) -> None:
    """The calibration that is stored decides as it did, and names the user's file."""
    ranking, table, _ = planted(0)
    given = (ranking, table, SimpleNamespace(), FakeJudge())
    plain = assess(*given, Asked(calibration=shipped))
    mine = annotate(tmp_path / "mine.csv", 0)
    own = assess(*given, Asked(mine, shipped, 0.2, "milan describe --calibrate mine.csv"))
    assert plain.calibration == load_calibration(shipped)
    assert own.calibration.own is not None
    assert (own.calibration.own.name, own.calibration.own.units) == ("mine.csv", UNITS)
    assert own.calibration.alpha == 0.2
    assert own.calibration.made_by == "milan describe --calibrate mine.csv"
    right = measured(0).right
    for found in (plain, own):
        answered = np.array([decision.answered for decision in found.decisions])
        assert 0 < answered.mean() < 1
        assert right[answered].mean() > right.mean()
    assert own.save(tmp_path) == ["evidence.csv", "calibration.json"]
    again = assess(*given, Asked(calibration=tmp_path / "calibration.json"))
    assert again.decisions == own.decisions
    assert len(read_evidence(tmp_path / "evidence.csv").right) == UNITS


def test_every_unit_of_the_table_has_cells(shipped: Path) -> None:
    """Silent units keep their status, and units without candidates abstain."""
    ranking, table, _ = planted(0)
    ranking["b", 31] = []
    found = assess(ranking, table, SimpleNamespace(), FakeJudge(), Asked(calibration=shipped))
    keys = [("a", 0), ("b", 31), ("b", 99)]
    columns = found.columns(keys, ["", "", "dead"])
    interval = ["correlation", "low", "high"]
    assert list(columns) == [*interval, "confidence", "likely", "status"]
    assert columns["low"][0] < columns["correlation"][0] < columns["high"][0]
    assert [columns[name][1:] for name in interval] == [["", ""]] * 3
    undecided = assess(ranking, table, SimpleNamespace(), FakeJudge(), Asked(calibration=None))
    assert list(undecided.columns(keys, ["", "", "dead"])) == interval
    assert columns["status"][1:] == ["abstained", "dead"]
    assert columns["confidence"][1:] == [0, 0]
    assert columns["status"][0] in ("described", "several", "unreliable")


def test_a_rare_unit_has_an_interval() -> None:
    """Three firing images of 300: some resample has none, and no correlation."""
    rng = np.random.default_rng(0)
    presence = 0.2 * rng.random(300)
    activations = np.zeros((300, 2))
    activations[[3, 50, 120], 0] = presence[[3, 50, 120]] = 1
    looked = Looked([("a", 0), ("a", 1)], ["dog", "dog"], activations, {"dog": presence})
    low, high = looked.intervals()
    assert 0 < low[0] < high[0] <= 1
    assert np.isnan([low[1], high[1]]).all()
    drawn = rng.integers(0, 300, (2000, 300))
    drawn = drawn[activations[drawn, 0].any(1)]
    values = [np.corrcoef(activations[row, 0], presence[row])[0, 1] for row in drawn]
    assert low[0] == pytest.approx(np.quantile(values, 0.025), abs=0.05)
    assert high[0] == pytest.approx(np.quantile(values, 0.975), abs=0.05)


@pytest.mark.parametrize("silent", [True, False])
def test_a_network_without_candidates_has_no_status_to_give(shipped: Path, silent: bool) -> None:
    """Every unit of it is dead, or abstained: no row is described, and none is an error."""
    ranking, table, _ = planted(0)
    nothing = {} if silent else dict.fromkeys(ranking, ())
    found = assess(nothing, table, SimpleNamespace(), FakeJudge(), Asked(calibration=shipped))
    columns = found.columns([("a", 0)], ["dead" if silent else ""])
    assert columns["status"] == ["dead" if silent else "abstained"]
    assert columns["low"] == [""]
    assert found.columns([], [])["status"] == []


def test_too_few_annotations_end_in_a_sentence(shipped: Path, tmp_path: Path) -> None:
    """With the file, the number and what is expected."""
    ranking, table, _ = planted(0)
    mine = annotate(tmp_path / "mine.csv", 0, 59)
    with pytest.raises(UserError, match=r"mine.csv: 59 annotated units, expected 60 or more"):
        assess(ranking, table, SimpleNamespace(), FakeJudge(), Asked(mine, shipped))
