"""A full disk is one sentence on the terminal, also where the log lies on it."""

import errno
import os
import subprocess
import sys

import pytest
from paths import ROOT

from milan_core import cli
from milan_core.cli import main

FULL = "/dev/full"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_log_that_cannot_be_written_hides_no_message(unbuffered):
    """What Python still holds for the log when it ends must not change the exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "milan_core", "--log", FULL, "step", "edit.netwrok"],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "did you mean 'edit.network'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EDQUOT])
def test_what_the_system_refuses_is_a_sentence_wherever_it_is_met(monkeypatch, capsys, code):
    """Temporary files without a name, say, which no writer of ours looks after."""

    def full(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(cli, "_check_given", full)
    assert main(["doctor"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("milan: error: cannot write a temporary file: ")
    assert error.count("\n") == 1
