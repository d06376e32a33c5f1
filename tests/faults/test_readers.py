"""Every own reader: its good file is read, and files that a fuzzer found once are refused."""

from pathlib import Path

import pytest

from faults.fuzz import CHUNK, attempt, run_chunk
from faults.readers import READERS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", sorted(READERS))
def test_good_files_are_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").mkdir()
    READERS[name].make(tmp_path / "good")
    READERS[name].read(tmp_path / "good")


FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.relative_to(CORPUS).as_posix())
def test_what_was_found_once_is_a_sentence(path, tmp_path, monkeypatch):
    """`corpus/READER/NUMBER/FILE` replaces the good FILE of a reader."""
    monkeypatch.chdir(tmp_path)
    name, number, *file = path.relative_to(CORPUS).parts
    good = tmp_path / "in" / number
    good.mkdir(parents=True)
    READERS[name].make(good)
    (good / Path(*file)).write_bytes(path.read_bytes())
    assert attempt(READERS[name], good) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READERS))
def test_damaged_files_are_sentences(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good, work = tmp_path / "good", tmp_path / "work"
    good.mkdir()
    work.mkdir()
    READERS[name].make(good)
    seeds = [f"test.{number}" for number in range(4 * CHUNK)]
    assert run_chunk(READERS[name], good, work, seeds) == []
