"""One digest a step of a run."""

import json

import pytest

from milan_core.core.digests import DIGITS, digest_table, run_digests, stage_digests
from milan_core.core.errors import UserError
from milan_core.core.recording import write_record
from milan_core.core.step import all_steps


def job(folder, step, **files):
    """A job's folder with its files and its record."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    paths = [folder / name for name in files]
    write_record(folder / "provenance.json", step, {}, paths, {}, "code", {"cpu_seconds": 1.0})


def run(root, seconds="1", weights="w"):
    job(
        root / "a" / "target", "networks.train", **{"weights.bin": weights, "training.csv": seconds}
    )
    job(root / "b" / "target", "networks.train", **{"weights.bin": "v", "training.csv": seconds})
    job(root / "c", "captioner.train", **{"weights.bin": "u"})
    job(root / "report", "report.pages", **{"index.html": seconds})
    return {one.step: one for one in stage_digests([root])}


def test_times_do_not_count_and_results_do(tmp_path):
    first, again = run(tmp_path / "1"), run(tmp_path / "2", seconds="2")
    assert first == again, "wherever the run lies, however long it took"
    assert first["networks.train"][1:3] == (2, 2)
    assert list(first) == ["captioner.train", "networks.train"], "pages show times"
    other = run(tmp_path / "3", weights="x")
    assert other["networks.train"].digest != first["networks.train"].digest
    assert other["captioner.train"] == first["captioner.train"]


def test_the_table_has_a_line_a_step(tmp_path):
    lines = digest_table(run(tmp_path / "1").values()).splitlines()
    assert len(lines) == 3
    assert lines[2].split()[:3] == ["networks.train", "2", "2"]
    assert len(lines[2].split()[3]) == DIGITS


def test_a_swap_between_jobs_is_seen(tmp_path):
    job(tmp_path / "1" / "a", "x.y", f="1")
    job(tmp_path / "1" / "b", "x.y", f="2")
    job(tmp_path / "2" / "a", "x.y", f="2")
    job(tmp_path / "2" / "b", "x.y", f="1")
    assert stage_digests([tmp_path / "1"]) != stage_digests([tmp_path / "2"])


def test_a_folder_without_records_and_a_damaged_one_are_refused(tmp_path):
    with pytest.raises(UserError, match="no record of a step below"):
        stage_digests([tmp_path])
    job(tmp_path / "a", "x.y", f="1")
    record = tmp_path / "a" / "provenance.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "step": "z"}))
    with pytest.raises(UserError, match="damaged or was edited"):
        stage_digests([tmp_path])


def test_the_end_of_a_run_prints_the_table_or_a_sentence(tmp_path):
    expected = digest_table(run(tmp_path / "1").values())
    assert run_digests([str(tmp_path / "1"), str(tmp_path / "none")]) == expected
    assert "no record of a step" in run_digests([str(tmp_path / "none")])


def test_steps_declare_outputs_with_times():
    timed = {name: step.timed for name, step in all_steps().items() if step.timed}
    assert timed["report.pages"] == ("*",)
    assert timed["networks.train"] == ("training.csv",)
    assert timed["atlas.build"] == ("run.js", "decoding.js")
    find = all_steps()["decoding.table"].holds_times
    assert find("timing.csv")
    assert not find("table.csv")
