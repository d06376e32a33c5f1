"""The notebooks of docs/tutorials run from the first to the last cell, after the quick run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from .conftest import environment

pytestmark = pytest.mark.workflow
RUNNER = Path(__file__).with_name("notebooks.py")


def run(folder, name, tmp_path):
    """What each code cell shows."""
    command = [sys.executable, RUNNER, ROOT / f"docs/tutorials/{name}.ipynb", tmp_path / "out"]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((tmp_path / "out").read_text()), done.stdout


def test_describe_my_network(quick_run, tmp_path):
    shown, printed = run(quick_run, "describe-my-network", tmp_path)
    grid, unit, found = shown[4:7]
    assert grid.count("<img") == 4
    assert unit.count("<img") == 1
    assert found.count("<img") >= 1
    assert printed.count("λ = ") == 4


def test_audit_and_edit(quick_run, tmp_path):
    shown, printed = run(quick_run, "audit-and-edit", tmp_path)
    assert shown[3].startswith("<div><b>“object”")
    for word in ("no", "the right", "a wrong"):
        assert f"{word} word: " in printed


def test_notebooks_are_kept_without_outputs():
    for path in (ROOT / "docs/tutorials").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert len(code) > 5
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), path
