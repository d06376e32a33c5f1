"""Copies of the repository that run their own code, for tests that change or run it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

PARTS = ["Snakefile", "workflow", "config", "milan_core", "csrc", "envs"]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")

# An editable installation finds the package in the original checkout, before any search path.
USE_THE_COPY = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "_editable_" not in type(f).__module__]
"""


def copy_repository(root: Path, target: Path) -> Path:
    """The parts that a run needs, with the compiled module, as code that runs by itself."""
    skip = shutil.ignore_patterns("__pycache__", "*.so", "*.pyc")
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=skip)
        else:
            shutil.copy2(source, target / part)
    native = importlib.util.find_spec("milan_core._core")
    assert native is not None, "the native module is not built; run `make env`"
    assert native.origin is not None
    shutil.copy2(native.origin, target / "milan_core")
    (target / "sitecustomize.py").write_text(USE_THE_COPY)
    return target


def environment(folder: Path) -> dict[str, str]:
    """The environment of a user who activated the virtual environment, for the code in `folder`."""
    path = f"{SNAKEMAKE.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "200", "PYTHONPATH": str(folder)}


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python with the code in `folder`."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def milan(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run a `milan` command with the code in `folder`."""
    return python(folder, "-m", "milan_core", *arguments)
