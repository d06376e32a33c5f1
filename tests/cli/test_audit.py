"""`milan audit`: units of any described network that match a query."""

import pytest

from milan_core.cli import main
from milan_core.core.files import read_csv, write_csv


@pytest.fixture
def tables(tmp_path):
    texts = {"one": ["Faces", "A clock face"], "two": ["Stars", "A red face"]}
    for name, rows in texts.items():
        table = [("conv", unit, text) for unit, text in enumerate(rows)]
        path = tmp_path / name / "descriptions.csv"
        write_csv(path, ("layer", "unit", "description"), table)
    return [str(tmp_path / "one"), str(tmp_path / "two/descriptions.csv")]


def test_words_are_searched_in_folders_and_tables(tables, tmp_path, capsys):
    words = ["--words", "face", "--exclude", "clock face", "--out", str(tmp_path / "out")]
    assert main(["audit", *tables, *words]) == 0
    printed = capsys.readouterr().out
    assert "one\tall\t1 of 2" in printed
    assert "two\tconv\t1\tA red face" in printed
    counts = read_csv(tmp_path / "out/counts.csv")
    assert [row["matched"] for row in counts if row["layer"] == "all"] == ["1", "1"]
    assert [row["unit"] for row in read_csv(tmp_path / "out/units.csv")] == ["0", "1"]


def test_shipped_queries_are_named(tables, capsys):
    assert main(["audit", *tables, "--query", "faces"]) == 0
    assert main(["audit", *tables, "--query", "facees"]) == 2
    assert "did you mean 'faces'" in capsys.readouterr().err
    assert main(["audit", *tables, "--query", "faces", "--substring"]) == 2
