"""The steps that decide: every unit has a row, and counts add up."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from milan_core.core.files import read_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.describers.abstention import evaluation
from milan_core.describers.abstention.calibration import calibrate, load_calibration
from milan_core.describers.abstention.options import (
    AbstentionOptions,
    TableOptions,
    deciders,
    largest_group,
)
from milan_core.describers.abstention.section import abstention_section
from milan_core.describers.abstention.step import AbstentionTable, DecideNetwork
from milan_core.describers.abstention.tables import Measured, write_evidence
from tests.describers.abstention.test_evaluation import UNITS, measured


def test_the_steps_write_every_unit(tmp_path: Path) -> None:
    """Silent units too; a network without truth is decided; counts add up."""
    networks = {f"net{seed}": measured(seed) for seed in range(4)}
    first = networks["net0"]
    without = Measured(first.evidence, np.full(UNITS, math.nan), first.noise)
    every = {**networks, "unjudged": without, "random": first}
    for name, one in every.items():
        write_evidence(tmp_path / f"{name}.evidence", one)
        silent = "b,90,,dead\n" if name == "net1" else ""
        lines = [f"{layer},{unit},text," for layer, unit in one.evidence.keys]
        (tmp_path / f"{name}.said").write_text(
            "layer,unit,description,status\n" + "\n".join(lines) + "\n" + silent
        )
    calibrate({"old": first.annotated()}, "test").save(tmp_path / "shipped.json")
    given = {
        "networks": list(every),
        "evidence": [tmp_path / f"{name}.evidence" for name in every],
        "shipped": tmp_path / "shipped.json",
        "options": AbstentionOptions(alpha=0.1),
    }
    for name in every:
        DecideNetwork(
            model=name,
            descriptions=tmp_path / f"{name}.said",
            decisions=tmp_path / f"{name}.csv",
            **given,
        ).run(Compute())
        rows = read_csv(tmp_path / f"{name}.csv", evaluation.UNITS)
        assert len(rows) == UNITS + (name == "net1")
        for row in rows:
            assert bool(row["description"]) == (row["status"] in ("described", "several"))
            assert row["description"] in ("", row["candidate"])
        assert ("dead" in [row["status"] for row in rows]) == (name == "net1")
    AbstentionTable(
        images=["scenes"] * 3 + ["drawings"] + ["scenes"] * 2,
        descriptions=[tmp_path / f"{name}.said" for name in every],
        summary=tmp_path / "summary.csv",
        coverage=tmp_path / "coverage.csv",
        calibration=tmp_path / "calibration.json",
        section=tmp_path / "section.json",
        **{**given, "options": TableOptions(alpha=0.1, random="random")},
    ).run(Compute())
    rows = read_csv(tmp_path / "summary.csv", evaluation.SUMMARY)
    assert [row["model"] for row in rows] == [evaluation.EVERY, *every]
    for row in rows:
        counts = [int(row[x]) for x in ("described", "several", "unreliable", "silent")]
        assert sum(counts) == int(row["units"])
        assert (row["right_all"] == "") == (row["model"] == "unjudged") == (row["judged"] == "0")
        assert float(row["shuffled"]) <= 0.02
    made = load_calibration(tmp_path / "calibration.json")
    # neither a random network nor one on other images is a source
    assert [one.name for one in made.sources] == list(networks)[:3]
    assert "random weights, random" in " ".join(read_section(tmp_path / "section.json").paragraphs)
    assert len(read_csv(tmp_path / "coverage.csv", evaluation.CURVE)) == 5


def test_networks_on_the_same_images_decide() -> None:
    """The others where there are none; the network itself never."""
    images = {"a": "scenes", "b": "scenes", "c": "drawings"}
    assert deciders("a", images) == ["b"]
    assert deciders("c", images) == ["a", "b"]
    assert deciders("a", {"a": "scenes"}) == []
    assert largest_group(images) == ["a", "b"]
    assert largest_group({}) == []


def test_of_few_units_counts_are_given_and_no_percentages() -> None:
    """Three of four answered units are no 75 %."""
    row = dict.fromkeys(("units", "described", "several", "unreliable", "silent", "judged"), "40")
    row |= {"coverage": "0.1", "right_answered": "0.75", "right_all": "0.5"}
    of = load_calibration()
    first, _, random = abstention_section(
        [row | {"model": "all networks"}, row | {"model": "r"}], of, "r"
    ).paragraphs
    assert "3 of 4 of the answered units are right, 50% of all." in first
    assert "answered, 3 of 4 of those with a known concept rightly." in random
    few = row | {"model": "all networks", "judged": "8", "coverage": "0.5"}
    assert (
        "3 of 4 of the answered units are right, 4 of all 8 units."
        in abstention_section([few], of, "").paragraphs[0]
    )
    nothing = row | {"model": "all networks", "judged": "0", "right_answered": "", "right_all": ""}
    assert (
        "– of the answered units are right, – of all."
        in abstention_section([nothing | {"coverage": ""}], of, "").paragraphs[0]
    )
