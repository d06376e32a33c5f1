"""Records: digests of inputs and outputs, damage, moved folders, attempts, and the commands."""

import json
import shutil

import pytest

from milan_core.cli import main
from milan_core.cli.step import execute
from milan_core.core import attempts
from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.core.recording import recorded_command, write_record
from milan_core.core.records import NAME, check_recorded, find_record, lost_files, read_record
from milan_core.core.step import Compute, In, Out, OutFolder, Step


class Write(Step, name="toy.write"):
    """Write a text."""

    text: str
    target: Out

    def run(self, compute: Compute) -> None:
        """Write it."""
        self.target.write_text(self.text)


class Join(Step, name="toy.join"):
    """Join texts in a folder."""

    sources: list[In]
    target: OutFolder
    fails: bool = False

    def run(self, compute: Compute) -> None:
        """Write two files."""
        self.target.mkdir(exist_ok=True)
        (self.target / "all.txt").write_text("".join(p.read_text() for p in self.sources))
        (self.target / "deep").mkdir(exist_ok=True)
        (self.target / "deep" / "count.txt").write_text(str(len(self.sources)))
        if self.fails:
            raise RuntimeError


class Count(Step, name="toy.count"):
    """Count the files of a folder."""

    folder: In
    target: Out

    def run(self, compute: Compute) -> None:
        """Write their number."""
        self.target.write_text(str(len(list(self.folder.rglob("*.txt")))))


@pytest.fixture
def run(tmp_path):
    """Two texts, their join, and a count of the join."""

    def one(name):
        folder = tmp_path / "run" / name
        folder.mkdir(parents=True)
        execute(Write(text=name * 3, target=folder / "text.txt"), Compute(), "c0de")

    one("a")
    one("b")
    execute(join(tmp_path), Compute(), "c0de")
    execute(Count(folder=tmp_path / "run/joined", target=tmp_path / "run/n.txt"), Compute(), "c0de")
    return tmp_path / "run"


def join(tmp_path, **options):
    sources = [tmp_path / "run" / name / "text.txt" for name in "ab"]
    return Join(sources=sources, target=tmp_path / "run" / "joined", **options)


def test_a_record_names_inputs_outputs_and_what_ran(run):
    record = read_json(run / "joined" / "provenance.json")
    assert record["step"] == "toy.join"
    assert sorted(record["outputs"]) == ["all.txt", "deep/count.txt"]
    assert record["outputs"]["all.txt"]["bytes"] == 6
    assert [len(entry["sha256"]) for entry in record["inputs"].values()] == [64, 64]
    assert record["compute"] == {"device": "cpu", "threads": 1}
    assert record["attempts"] == 1


@pytest.mark.parametrize("name", ["a/text.txt", "joined/all.txt", "joined/deep/count.txt"])
def test_every_changed_bit_of_an_input_is_noticed(run, tmp_path, name):
    path, good = run / name, (run / name).read_bytes()
    reader = (
        join(tmp_path)
        if name.startswith("a")
        else Count(folder=run / "joined", target=run / "again.txt", record=run / "x.json")
    )
    for position in range(len(good)):
        for bit in range(8):
            changed = bytearray(good)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(UserError, match=f"{path.name} is damaged or was edited"):
                execute(reader, Compute(), "c0de")
    path.write_bytes(b"")
    with pytest.raises(UserError, match="damaged"):
        execute(reader, Compute(), "c0de")
    path.unlink()
    with pytest.raises(UserError, match=r"not found|is missing"):
        execute(reader, Compute(), "c0de")


class Both(Step, name="toy.both"):
    """Write a folder and a file beside it."""

    folder: OutFolder
    beside: Out

    def run(self, compute: Compute) -> None:
        """Write one file each."""
        self.folder.mkdir()
        (self.folder / "a.txt").write_text("a")
        self.beside.write_text("b")


def test_a_folder_is_whole_whatever_its_step_wrote_beside_it(tmp_path):
    step = Both(folder=tmp_path / "x", beside=tmp_path / "b.txt")
    execute(step, Compute(), "c0de")
    execute(Count(folder=step.folder, target=tmp_path / "n.txt"), Compute(), "c0de")
    assert (tmp_path / "n.txt").read_text() == "1"
    (step.folder / "a.txt").unlink()
    with pytest.raises(UserError, match=r"a.txt is missing; run toy.both again"):
        execute(Count(folder=step.folder, target=tmp_path / "n.txt"), Compute(), "c0de")


def test_an_edit_is_kept_once_its_record_is_gone(run, tmp_path):
    (run / "a" / "text.txt").write_text("mine")
    (run / "a" / "provenance.json").unlink()
    execute(join(tmp_path), Compute(), "c0de")
    assert (run / "joined" / "all.txt").read_text() == "minebbb"


def test_verify_names_what_differs_and_survives_a_move(run, tmp_path, capsys):
    moved = tmp_path / "elsewhere"
    shutil.move(run, moved)
    assert main(["verify", str(moved)]) == 0
    assert "5 recorded files compared, 0 problems" in capsys.readouterr().out
    (moved / "joined" / "all.txt").write_text("other")
    (moved / "n.txt").unlink()
    assert main(["verify", str(moved)]) == 1
    said = capsys.readouterr().out
    assert "all.txt differs from what toy.join wrote" in said
    assert "n.txt is missing; toy.count wrote it" in said
    assert main(["verify", str(tmp_path / "nowhere")]) == 2


def test_provenance_of_a_file_and_of_what_is_behind_it(run, capsys):
    assert main(["provenance", str(run / "joined" / "all.txt")]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == "toy.join"
    assert main(["provenance", str(run / "joined" / "all.txt"), "--chain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["toy.join", "toy.write", "toy.write"]
    (run / "stray.txt").write_text("")
    assert main(["provenance", str(run / "stray.txt")]) == 2
    assert "no record beside it" in capsys.readouterr().err


def test_a_record_of_another_version_is_refused(run, tmp_path):
    path = run / "a" / "provenance.json"
    path.write_text(path.read_text().replace('"version": 3', '"version": 9'))
    with pytest.raises(UserError, match="record version 9, this release reads 3"):
        execute(join(tmp_path), Compute(), "c0de")


def test_time_of_failed_attempts_counts(run, tmp_path):
    with pytest.raises(RuntimeError):
        execute(join(tmp_path, fails=True), Compute(), "c0de")
    note = run / ".joined.attempts.json"
    (first,) = json.loads(note.read_text())
    assert first["wall"] >= 0
    note.write_text(json.dumps([{"wall": 100.0, "cpu": 50.0}]))
    execute(join(tmp_path), Compute(), "c0de")
    record = read_json(run / "joined" / "provenance.json")
    assert record["attempts"] == 2
    assert record["wall_seconds"] >= 100
    assert record["cpu_seconds"] >= 50
    assert not note.exists()


def test_a_long_attempt_notes_its_time_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(attempts, "BEAT", 0.01)
    path = tmp_path / ".x.attempts.json"

    def fail_once_noted():
        with attempts.Attempts(path):
            while not path.exists():
                pass
            raise KeyError

    with pytest.raises(KeyError):
        fail_once_noted()
    assert len(json.loads(path.read_text())) == 1


def test_a_folder_knows_which_files_it_lost(run):
    folder = run / "joined"
    assert lost_files(folder) == []
    (folder / "deep/count.txt").unlink()
    assert lost_files(folder) == ["deep/count.txt"]
    (folder / "provenance.json").unlink()
    assert lost_files(folder) == ["provenance.json"]


def test_a_command_records_its_folder_or_its_files(tmp_path):
    (tmp_path / "in.txt").write_text("x")
    path = tmp_path / "out" / "provenance.json"
    path.parent.mkdir()
    with recorded_command("mine", path, inputs=[tmp_path / "in.txt"], options={"k": 1}) as facts:
        (path.parent / "a.csv").write_text("a")
        facts["units"] = 3
    record = read_json(path)
    assert (record["step"], record["units"], list(record["outputs"])) == ("mine", 3, ["a.csv"])
    with recorded_command("score", tmp_path / "s.provenance.json"):
        (tmp_path / "s.csv").write_text("s")
        (tmp_path / "other.csv").write_text("o")
    assert list(read_json(tmp_path / "s.provenance.json")["outputs"]) == ["s.csv"]
    (tmp_path / "s.csv").write_text("t")
    with (
        pytest.raises(UserError, match="damaged or was edited"),
        recorded_command("mine", path, inputs=[tmp_path / "s.csv"]),
    ):
        pass


def test_a_command_that_fails_leaves_no_record(tmp_path):
    with pytest.raises(KeyError), recorded_command("mine", tmp_path / "provenance.json"):
        raise KeyError
    assert not (tmp_path / "provenance.json").exists()


def test_every_changed_bit_of_a_record_is_noticed(run):
    path = run / "a" / "provenance.json"
    good = path.read_bytes()
    for position in range(0, len(good), 3):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            read = read_record(path)
        except UserError:
            continue
        path.write_bytes(good)
        assert read == read_record(path), position  # white space


def test_records_of_the_version_before_are_read(run):
    path = run / "a" / "provenance.json"
    record = read_json(path)
    del record["sha256"]
    path.write_text(json.dumps({**record, "version": 2}))
    assert read_record(path)["step"] == "toy.write"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="damaged or was edited"):
        read_record(path)


def test_commands_compare_what_they_are_given(tmp_path, capsys):
    table = tmp_path / "descriptions.csv"
    table.write_text("layer,unit,description\na,0,a dog\n")
    write_record(tmp_path / "provenance.json", "toy", {}, [table], {}, "c", {})
    for source in (table, tmp_path):
        assert main(["audit", str(source), "--words", "dog"]) == 0
    table.write_text(table.read_text().replace("dog", "fog"))
    for source in (table, tmp_path):
        assert main(["audit", str(source), "--words", "dog"]) == 2
        assert "is damaged or was edited" in capsys.readouterr().err
    (tmp_path / "provenance.json").unlink()
    assert main(["audit", str(table), "--words", "dog"]) == 0


def test_a_record_lists_files_deep_in_its_folder(tmp_path):
    """Files of an experiment lie four folders below the record of an atlas."""
    deep = tmp_path / "atlas/files/audit/0/change.svg"
    deep.parent.mkdir(parents=True)
    deep.write_text("<svg/>")
    write_record(tmp_path / "atlas" / NAME, "atlas.build", {}, [tmp_path / "atlas"], {}, "c", {})
    assert find_record(deep) is not None
    deep.write_text("<svg>")
    with pytest.raises(UserError, match="is damaged or was edited"):
        check_recorded(deep)
    with pytest.raises(UserError, match="is damaged or was edited"):
        check_recorded(deep.parent)
