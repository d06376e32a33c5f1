"""Describers on the zoo: tables of others, describers of the tree, the order of scores."""

import numpy as np
import pytest

from milan_core.cli import main
from milan_core.core.files import write_csv
from milan_core.referee.scored import Explanation
from milan_core.zoo.rank import (
    Field,
    RankOptions,
    label_describers,
    order_of_rows,
    over_runs,
    rank_one,
    trivial,
)
from milan_core.zoo.units import planted_units


@pytest.fixture(scope="module")
def field():
    return Field(RankOptions(scenes=600, resamples=100))


@pytest.fixture(scope="module")
def rows(field):
    return {name: rank_one(name, said, field) for name, said in trivial(field).items()}


def test_the_truth_is_exact_and_dead_units_stay_silent(rows):
    truth = rows["truth"]
    assert (
        (truth.described, truth.unread, truth.silent) == (truth.units, 0, truth.dead) == (93, 0, 2)
    )
    for measure in ("exact", "kappa", "agreement", "correlation", "auprc"):
        np.testing.assert_allclose(truth.values[measure], 1, err_msg=measure)


def test_constants_are_at_chance(rows):
    constant = rows["constant"]
    assert constant.measures["exact"].value == 0
    for measure in ("kappa", "correlation", "auprc"):
        assert constant.measures[measure].value == pytest.approx(0, abs=1e-6)
    assert constant.silent == 0
    assert abs(rows["truth of another unit"].measures["kappa"].value) < 0.15


def test_missing_and_unreadable_texts_count_as_nothing(field):
    keys = [unit.key for unit in field.units]
    said = {key: Explanation(key, ("gibberish",)) for key in keys[:5]}
    said |= {key: Explanation(key) for key in keys[5:9]}
    found = rank_one("some", said, field)
    assert (found.described, found.unread) == (5, 5)
    assert found.measures["kappa"].value == 0


def test_weights_give_a_correlation_only(field):
    (place, unit), *_ = (
        (place, unit)
        for place, unit in enumerate(field.units)
        if str(unit.expression) == "minus(circle, square)"
    )
    one = Explanation(unit.key, ("circles", "squares"), (1.0, -1.0))
    found = rank_one("linear", {unit.key: one}, field)
    assert found.values["correlation"][place] == pytest.approx(1)
    assert found.values["kappa"][place] == 0


def test_runs_are_averaged_by_unit(rows, field):
    mean = over_runs([rows["truth"], rows["constant"]], field)
    assert mean.measures["kappa"].value == pytest.approx(0.5)
    assert mean.silent == 1


def test_scores_that_order_describers(rows, field):
    ordered = order_of_rows(list(rows.values()), field, resamples=20)
    assert ordered["correlation"].value == pytest.approx(1)
    assert ordered["recall"].value < 1
    assert ordered["recall"].low <= ordered["recall"].value <= ordered["recall"].high


def test_tables_of_others(tmp_path, capsys):
    rows = [(*unit.key, f"<b>{unit.description}</b>") for unit in planted_units()]
    write_csv(tmp_path / "mine.csv", ("layer", "unit", "text"), [*rows, ("fc", 3, "dogs")])
    arguments = ["zoo", "rank", "--descriptions", str(tmp_path / "mine.csv"), "--column", "text"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    (row,) = (line for line in told.splitlines() if line.startswith(f"| {tmp_path}/mine.csv"))
    assert "| 100.0 ± 0.0 | 1.000 [1.000, 1.000]" in row
    assert row.endswith("| 100 | 0 | 2 of 2 |")
    assert "1 units are not in the zoo and do not count, such as layer 'fc' unit 3" in told


@pytest.mark.parametrize(
    ("rows", "says"),
    [([("fc", 3, "dogs")], "layers are colors, concepts and logic"), ([], "holds no description")],
)
def test_tables_without_units_of_the_zoo_are_refused(tmp_path, capsys, rows, says):
    write_csv(tmp_path / "mine.csv", ("layer", "unit", "description"), rows)
    assert main(["zoo", "rank", "--descriptions", str(tmp_path / "mine.csv")]) == 2
    assert says in capsys.readouterr().err


def test_describers_of_the_tree_name_the_simple_units(tmp_path):
    pytest.importorskip("torch")
    said = label_describers(tmp_path, 60, 3)
    assert list(said) == [
        "NetDissect",
        *("Compositional Explanations", "Compositional Explanations, its formula"),
        *("INVERT", "INVERT, its formula"),
    ]
    assert said["NetDissect"]["concepts", 0].texts == ("circle",)
    assert said["NetDissect"]["colors", 0].texts == ("red",)
    assert all(len(texts) == len(planted_units()) for texts in said.values())
    dead = [unit.key for unit in planted_units() if unit.kind == "dead"]
    assert not any(said["NetDissect"][key].texts for key in dead)
