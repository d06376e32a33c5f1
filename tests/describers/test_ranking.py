"""The ranking table: what is written reads back, and damage is refused with its line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from milan_core.core.errors import UserError
from milan_core.describers.ranking import COLUMNS, NONE, Ranked, read_ranking, write_ranking


def ranked(text: str, score: float, logp: float = -3.25) -> Ranked:
    return Ranked(text, "milan", logp, -7.5, 0.5, 0.25, 0.125, -0.5, score)


def test_a_ranking_reads_back(tmp_path: Path) -> None:
    """Texts, sources, order and scores survive; a missing log p(d|E) is an empty cell."""
    foreign = Ranked("=dogs", "table", NONE, NONE, 0.1, 0.1, 0.1, 0.1, 0.1)
    written = {
        ("layer1", 3): [ranked("dogs, mostly brown", 0.9), foreign],
        ("layer2", 0): [ranked("grass", 0.123456789)],
    }
    write_ranking(tmp_path / "ranking.csv", written)
    read = read_ranking(tmp_path / "ranking.csv")
    assert list(read) == list(written)
    assert read["layer1", 3][0] == written["layer1", 3][0]
    assert read["layer1", 3][1].text == "=dogs"
    assert math.isnan(read["layer1", 3][1].logp)
    assert read["layer2", 0][0].score == 0.123457  # six significant digits


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,0,1,dogs,milan,-1,-1,0,0,0,0,0,1", "rank 1 of unit 0 of a, expected 0"),
        ("a,0,0,dogs,milan,-1,-1,0,0,0,x,0,1", "could not convert"),
    ],
)
def test_damage_is_refused_with_its_line(tmp_path: Path, row: str, expected: str) -> None:
    """Ranks that do not count from 0, and scores that are no numbers."""
    path = tmp_path / "ranking.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{row}\n")
    with pytest.raises(UserError, match=f"line 2: .*{expected}"):
        read_ranking(path)
