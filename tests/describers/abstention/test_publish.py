"""The published table: every unit has a status, and descriptions keep their texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.describers.publish import publish_table
from milan_core.scoring.tables import read_descriptions, read_silent, scored_descriptions

MAIN = """layer,unit,description,logp,logp_lm,score,side,status
a,0,dogs,-1,-2,-0.6,test,
a,1,things,-1,-2,-0.6,test,
a,2,,,,,test,dead
"""
POOLED = """layer,unit,description,logp,logp_lm,score,fit,source,linear,status
a,0,brown dogs,-3,-4,0.5,0.5,milan,'+0.5 dogs,
a,1,cats,-3,-4,0.5,0.5,milan,'+0.5 cats,
a,2,,,,,,,,dead
"""
DECIDED = """layer,unit,description,status,confidence,likely,candidate,right
a,0,brown dogs,described,0.9,brown dogs | dogs,brown dogs,1
a,1,,unreliable,0.3,cats,cats,0
a,2,,dead,0,,,
"""


def written(folder: Path, **texts: str) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    return paths


def test_status_and_confidence_stand_beside(tmp_path: Path) -> None:
    """The guess of an unreliable unit stays in the table; a dead unit keeps its status."""
    paths = written(tmp_path, main=MAIN, pooled=POOLED, decided=DECIDED)
    out = tmp_path / "descriptions.csv"
    publish_table(paths[0], None, out, paths[1], paths[2])
    rows = read_csv(out)
    assert [row["status"] for row in rows] == ["described", "unreliable", "dead"]
    assert [row["description"] for row in rows] == ["brown dogs", "cats", ""]
    assert [row["confidence"] for row in rows] == ["0.9", "0.3", "0"]
    assert rows[0]["likely"] == "brown dogs | dogs"
    assert read_silent(out) == {("a", 2): "dead"}
    scored, silent = scored_descriptions(out)
    assert list(scored) == [("a", 0), ("a", 1)]
    assert list(silent) == [("a", 2)]
    assert read_descriptions(paths[2])["a", 1] == ""  # the table that abstains


def test_without_decisions_nothing_changes(tmp_path: Path) -> None:
    """The columns of before, silent units named."""
    paths = written(tmp_path, main=MAIN, pooled=POOLED)
    out = tmp_path / "descriptions.csv"
    publish_table(paths[0], None, out, paths[1])
    rows = read_csv(out)
    assert "confidence" not in rows[0]
    assert [row["status"] for row in rows] == ["", "", "dead"]


def test_decisions_of_another_network_are_refused(tmp_path: Path) -> None:
    """A unit without a decision ends in a sentence."""
    paths = written(tmp_path, main=MAIN, pooled=POOLED, decided=DECIDED.replace("a,1,", "b,1,"))
    with pytest.raises(UserError, match=r"decided.csv lacks unit 1 of a; describe"):
        publish_table(paths[0], None, tmp_path / "out.csv", paths[1], paths[2])
