"""What starting a command imports: a workflow starts hundreds of steps."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

OTHERS = ("milan_core.cli.describe", "milan_core.cli.zoo")


@pytest.mark.parametrize(
    ("words", "imported"),
    [(["--log", "LOG", "step"], False), (["step"], False), (["verify", "step"], True)],
)
def test_a_step_imports_no_other_command(tmp_path, words, imported):
    words = [str(tmp_path / "log") if word == "LOG" else word for word in words]
    code = (
        "import contextlib, io, json, sys; from milan_core.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({words!r})\n"
        f"print(json.dumps([name in sys.modules for name in {OTHERS!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert json.loads(done.stdout) == [imported] * len(OTHERS)
