"""Digests that one process leaves to those it starts, and when they are not taken."""

import json
import os

import pytest
from copies import copy_repository, python

from milan_core.core.handed_down import VARIABLE, files_as_they_are, handed_down

CODE = "from milan_core.core.identity import step_code; print(step_code('exemplars.merge'))"
LEAVE = (
    "import os; from milan_core.core.identity import step_code; step_code('exemplars.merge');"
    f"print(os.environ['{VARIABLE}'])"
)


@pytest.fixture(autouse=True)
def apart(monkeypatch):
    """Nothing is handed down to these tests, nor by them."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv(VARIABLE, "{}")


def never():
    raise AssertionError("computed again")


def test_a_digest_is_computed_once_and_kept_beside_others():
    assert handed_down("a", "files", lambda: "1") == "1"
    assert handed_down("b", "files", lambda: "2") == "2"
    assert handed_down("a", "files", never) == "1"
    assert json.loads(os.environ[VARIABLE]) == {"sources": "files", "codes": {"a": "1", "b": "2"}}


def test_digests_of_other_files_are_not_taken():
    handed_down("a", "files", lambda: "1")
    assert handed_down("a", "other files", lambda: "2") == "2"
    assert "files" not in json.loads(os.environ[VARIABLE])["codes"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"sources": "files"}', '{"sources": "files", "codes": 3}']
)
def test_a_damaged_variable_is_passed_over(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    assert handed_down("a", "files", lambda: "1") == "1"


def test_any_change_of_a_file_is_seen_but_not_what_is_built(tmp_path):
    def seen():
        files_as_they_are.cache_clear()
        return files_as_they_are(tmp_path)

    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner/a.py"
    file.write_text("1")
    states = [seen()]
    os.utime(file, ns=(0, 1))
    states.append(seen())
    file.write_text("22")
    os.utime(file, ns=(0, 1))
    states.append(seen())
    (tmp_path / "b.json").write_text("{}")
    states.append(seen())
    file.rename(tmp_path / "a.py")
    states.append(seen())
    assert len(set(states)) == 5
    (tmp_path / "a.cpython-311.so").write_text("")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.py").write_text("")
    assert seen() == states[-1]


def test_a_started_process_takes_them_only_for_its_own_files(root, tmp_path, monkeypatch):
    copy = copy_repository(root, tmp_path)
    true = python(copy, "-c", CODE).stdout
    left = json.loads(python(copy, "-c", LEAVE).stdout)
    assert list(left["codes"].values()) == [true.strip()]
    left["codes"] = dict.fromkeys(left["codes"], "0" * 12)
    monkeypatch.setenv(VARIABLE, json.dumps(left))
    assert python(copy, "-c", CODE).stdout.strip() == "0" * 12
    os.utime(copy / "milan_core/exemplars/step.py")
    assert python(copy, "-c", CODE).stdout == true
