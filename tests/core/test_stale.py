"""Results that are older than what they were made from."""

import pytest

from core.test_records import Count, Join, Write
from milan_core.cli import main
from milan_core.cli.step import execute
from milan_core.core.recording import recorded_command
from milan_core.core.stale import stale
from milan_core.core.step import Compute, Out, OutFolder, Step


class Both(Step, name="toy.both"):
    """Write a folder and a file above it, which the record of the folder lists."""

    folder: OutFolder
    above: Out

    def run(self, compute: Compute) -> None:
        """Write both."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("b", "a", "a-c"):
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / "n.txt").write_text(name)
        self.above.write_text("above")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two texts, one of which no step wrote, a page of them, and a count of the page's folder."""
    monkeypatch.chdir(tmp_path)
    step(Write, text="one", target="results/a/a.txt")
    (tmp_path / "mine.txt").write_text("two")
    page()
    step(Count, folder="results/report", target="results/count/n.txt")
    return tmp_path


def step(cls, **fields):
    execute(cls(**fields), Compute(), "code")


def page(text="x"):
    from pathlib import Path

    out = Path("results/report")
    inputs = [Path("results/a/a.txt"), Path("mine.txt"), Path("results/a/provenance.json")]
    out.mkdir(parents=True, exist_ok=True)
    with recorded_command("report.pages", out / "provenance.json", inputs=inputs):
        (out / "index.html").write_text(text)


def test_a_page_that_is_older_than_its_inputs_is_said(folder, capsys):
    assert stale(folder / "results") == []
    step(Write, text="one", target="results/a/a.txt")
    assert stale(folder / "results") == [], "the same bytes, written again"
    step(Write, text="another", target="results/a/a.txt")
    (sentence,) = stale(folder / "results")
    assert sentence == (
        f"the page {folder}/results/report/index.html is older than results/a/a.txt, which changed "
        "after report.pages had read it; run report.pages again"
    )
    assert main(["verify", "results"]) == 1
    said = capsys.readouterr().out
    assert "the page results/report/index.html is older than results/a/a.txt" in said
    assert "3 recorded files compared, 1 problems" in said
    page()
    assert main(["verify", "results"]) == 0


def test_an_edited_file_of_the_users_counts_and_one_that_is_gone_does_not(folder):
    (folder / "mine.txt").write_text("three")
    step(Write, text="another", target="results/a/a.txt")
    (sentence,) = stale(folder / "results")
    assert "is older than mine.txt and 1 more of its inputs" in sentence or (
        "is older than results/a/a.txt and 1 more of its inputs" in sentence
    )
    (folder / "mine.txt").unlink()
    (folder / "results/a/a.txt").unlink()
    assert stale(folder / "results") == []


def test_a_folder_as_input_counts_by_its_files(folder):
    page("y")
    (sentence,) = stale(folder / "results")
    assert sentence.startswith(f"{folder}/results/count/n.txt is older than results/report, which")
    step(Join, sources=["mine.txt"], target="results/joined")
    step(Count, folder="results/joined", target="results/count/n.txt")
    assert stale(folder / "results") == []
    step(Both, folder="results/both/inside", above="results/both/table.txt")
    step(Count, folder="results/both/inside", target="results/count2/n.txt")
    assert stale(folder / "results") == [], "files in any order, and none that lies elsewhere"
    (folder / "results/joined/provenance.json").unlink()
    (folder / "results/joined/all.txt").write_text("edited")
    assert len(stale(folder / "results")) == 1, "without a record the files are read"
