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


def test_matches_without_a_reliable_description_are_marked(tmp_path, capsys):
    rows = [("conv", 0, "A dog", "described"), ("conv", 1, "Dogs", "unreliable")]
    table = tmp_path / "net/descriptions.csv"
    write_csv(table, ("layer", "unit", "description", "status"), rows)
    out = tmp_path / "out"
    assert main(["audit", str(table), "--words", "dog", "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "net\tconv\t1\tDogs\tunreliable" in printed
    assert printed[-1].startswith("1 of the 2 matching texts are guesses of units without")
    assert [row["status"] for row in read_csv(out / "units.csv")] == ["described", "unreliable"]


def test_a_folder_of_networks_names_them(tables, tmp_path, capsys):
    assert main(["audit", str(tmp_path), "--words", "dog"]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path} has no descriptions.csv: give a network's folder" in error
    assert f"{tmp_path / 'one'}, {tmp_path / 'two'}" in error
    (tmp_path / "empty").mkdir()
    assert main(["audit", str(tmp_path / "empty"), "--words", "dog"]) == 2
    assert "`milan describe` and runs write one" in capsys.readouterr().err


def test_shipped_queries_are_named(tables, capsys):
    assert main(["audit", *tables, "--query", "faces"]) == 0
    assert main(["audit", *tables, "--query", "facees"]) == 2
    assert "did you mean 'faces'" in capsys.readouterr().err
    assert main(["audit", *tables, "--query", "faces", "--substring"]) == 2
