"""Errors of a step over files that no record lists are sentences; over recorded ones, bugs."""

import pytest

from milan_core.cli import main
from milan_core.cli.step import execute
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.recording import recorded
from milan_core.core.step import Compute, In, Out, Step


class First(Step, name="faults.first"):
    """Writes a table."""

    table: Out

    def run(self, compute):
        write_csv(self.table, ("name",), [("a",)])


class Second(Step, name="faults.second"):
    """Does with a table what only another table allows."""

    table: In
    result: Out

    def run(self, compute):
        {"b": 1}[self.table.read_text().split()[1]]


@pytest.fixture
def steps(tmp_path):
    first = First(table=tmp_path / "one/t.csv")
    execute(first, Compute(), "code")
    return Second(table=first.table, result=tmp_path / "two/result")


def run(step):
    with recorded(step, Compute(), "code"):
        step.run(Compute())


def test_over_files_that_steps_wrote_it_is_a_bug(steps):
    with pytest.raises(KeyError):
        run(steps)


def test_over_a_file_without_a_record_it_is_a_sentence(steps):
    (steps.table.parent / "provenance.json").unlink()
    with pytest.raises(UserError) as caught:
        run(steps)
    expected = "faults.second cannot use .*t.csv .it has no .a., at .*; no record"
    assert caught.match(expected)
    assert not steps.result.parent.joinpath("provenance.json").exists()


def test_a_traceback_can_be_asked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("MILAN_TRACEBACK", "1")
    assert main(["check", str(tmp_path / "none.yaml")]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.splitlines()[-1].startswith("milan: error:")
