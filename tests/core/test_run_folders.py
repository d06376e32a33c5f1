"""Records are found behind links, from any folder, and for every file that they list."""

import json
from pathlib import Path

import pytest

from core.test_records import Count, Write
from core.test_stale import Both
from milan_core.cli import main
from milan_core.cli.step import execute
from milan_core.core.errors import UserError
from milan_core.core.recording import recorded_command
from milan_core.core.records import check_recorded, find_record
from milan_core.core.step import Compute


def step(cls, **fields):
    execute(cls(**fields), Compute(), "code")


def make(folder, monkeypatch, text):
    """A run in a folder: a text, a folder with a file above it, and a count of the folder."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    step(Write, text=text, target="results/a/a.txt")
    step(Both, folder="results/b/both", above="results/b/board.txt")
    step(Count, folder="results/b/both", target="results/c/n.txt")
    with recorded_command(
        "toy.page", Path("results/page.provenance.json"), inputs=[Path("results/a/a.txt")]
    ):
        Path("results/page.html").write_text(text)


@pytest.fixture
def run(tmp_path, monkeypatch):
    make(tmp_path / "run", monkeypatch, "one")
    return tmp_path / "run"


def steps(capsys, *words):
    """The steps that `milan provenance --chain` prints."""
    assert main(["provenance", *map(str, words), "--chain"]) == 0
    return [line.split()[0] for line in capsys.readouterr().out.splitlines()]


def test_a_part_of_a_run_on_another_disk_is_compared(run, tmp_path, capsys):
    (run / "results/b").rename(tmp_path / "disk")
    (run / "results/b").symlink_to(tmp_path / "disk")
    assert main(["verify", "results"]) == 0
    assert "7 recorded files compared, 0 problems" in capsys.readouterr().out
    (tmp_path / "disk/both/a/n.txt").write_text("other")
    assert main(["verify", "results"]) == 1
    assert "both/a/n.txt differs from what toy.both wrote" in capsys.readouterr().out
    assert main(["digests", "results"]) == 0
    assert "toy.both" in capsys.readouterr().out


@pytest.mark.parametrize("here", ["..", "../other", "results/a"])
def test_a_run_is_the_same_from_any_folder(run, tmp_path, monkeypatch, capsys, here):
    make(tmp_path / "other", monkeypatch, "another text")
    monkeypatch.chdir(run / here)
    assert main(["verify", str(run / "results")]) == 0
    capsys.readouterr()
    assert steps(capsys, run / "results/page.html") == ["toy.page", "toy.write"]
    assert steps(capsys, run / "results/c/n.txt") == ["toy.count", "toy.both"]
    monkeypatch.chdir(run)
    step(Write, text="two", target="results/a/a.txt")
    monkeypatch.chdir(run / here)
    assert main(["verify", str(run / "results")]) == 1
    assert "older than results/a/a.txt" in capsys.readouterr().out


def test_a_file_above_its_record_is_known(run, capsys):
    assert find_record(run / "results/b/board.txt").record["step"] == "toy.both"
    (run / "results/b/board.txt").write_text("edited")
    with pytest.raises(UserError, match=r"board.txt is damaged or was edited"):
        check_recorded(run / "results/b/board.txt")
    (run / "results/b/both/provenance.json").write_text("{")
    assert find_record(run / "results/b/board.txt") is None


@pytest.mark.parametrize("name", ["both", "both/", "both/provenance.json"])
def test_what_made_a_folder(run, capsys, name):
    assert main(["provenance", f"results/b/{name}"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == "toy.both"


def test_what_is_not_here_is_said(run, capsys):
    (run / "results/a/a.txt").unlink()
    assert main(["provenance", "results/page.html", "--chain"]) == 0
    assert "not here, nor what made it: results/a/a.txt\n" in capsys.readouterr().out
    assert main(["provenance", "results/gone.txt"]) == 2
    assert "results/gone.txt is not there" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scores[1].csv", "scores", "a*b.csv", "犬.csv"])
def test_tables_of_any_name_are_recorded(tmp_path, name):
    (tmp_path / "scores1.csv").write_text("of another")
    (tmp_path / "acb.csv").write_text("of another")
    table = tmp_path / name
    with recorded_command("score", table.with_name(f"{table.stem}.provenance.json")):
        table.write_text("mine")
    assert list(find_record(table).record["outputs"]) == [name]
