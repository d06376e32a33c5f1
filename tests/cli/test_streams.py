"""Streams that are closed, a reader that goes, a log that cannot be, and Ctrl-C at any moment."""

import os
import subprocess
import sys

import pytest

from milan_core import cli
from milan_core.cli import main

MILAN = f"{sys.executable} -m milan_core"
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def shell(command, folder):
    """Run a line of a shell, with output buffered as it is for people."""
    command = f"set -o pipefail; {command}"
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=BUFFERED, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("streams", "words", "code", "said"),
    [
        (">&-", "verify gone", 2, "gone is not a folder"),
        (">&-", "step", 0, ""),
        ("2>&-", "verify gone", 2, ""),
        (">&- 2>&- <&-", "step", 0, ""),
    ],
)
def test_closed_streams(tmp_path, streams, words, code, said):
    done = shell(f"{MILAN} {words} {streams}", tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["--version", "step", "--help"])
def test_a_reader_that_goes_before_it_was_written_to(tmp_path, words):
    done = shell(f"{MILAN} {words} | exec true", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_disk_that_is_full_when_little_is_written(tmp_path):
    done = shell(f"{MILAN} step > /dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("milan: error: cannot write")
    assert done.stderr.count("\n") == 1


def test_logs_that_cannot_be(tmp_path, capsys):
    (tmp_path / "file").touch()
    for log, reason in ((tmp_path, "it is a folder"), (tmp_path / "file/log", "is a file")):
        assert main(["--log", str(log), "step"]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"milan: error: cannot write {log}: ")
        assert reason in error


def test_a_file_in_place_of_a_folder(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["config", "schema", "--out", str(tmp_path / "file/deep/x.yaml")]) == 2
    assert "a part of the path is a file" in capsys.readouterr().err


def test_ctrl_c_while_commands_are_imported(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt  # as Python does; a shell's background jobs ignore the signal

    monkeypatch.setattr(cli, "build_parser", interrupted)
    assert main(["step"]) == 130
    assert capsys.readouterr().err == "milan: error: interrupted\n"
