"""One quick run of the whole workflow in a copy of the repository, killed once on the way."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARTS = ["Snakefile", "workflow", "config", "milan_core", "csrc", "envs"]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
QUICK = ["--configfile", "config/quick.yaml"]


def snakemake(folder: Path, *arguments: str, timeout: int = 600) -> subprocess.CompletedProcess:
    """Run Snakemake in a copy of the repository; output and errors come back together."""
    return subprocess.run(
        [SNAKEMAKE, *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


# An editable installation finds the package in the original checkout, before any search path.
USE_THE_COPY = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "_editable_" not in type(f).__module__]
"""


def environment(folder: Path) -> dict[str, str]:
    """The environment of a user who activated the virtual environment, for the code in `folder`."""
    path = f"{SNAKEMAKE.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "200", "PYTHONPATH": str(folder)}


def copy_repository(root: Path, target: Path) -> Path:
    """The parts that a run needs, with the compiled module, as code that runs by itself."""
    skip = shutil.ignore_patterns("__pycache__", "*.so", "*.pyc")
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


@pytest.fixture(scope="session")
def checkout(root, tmp_path_factory) -> Path:
    """A copy of the repository to plan runs in."""
    return copy_repository(root, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def quick_run(root, tmp_path_factory) -> Path:
    """A finished quick run that was killed in the middle and started again."""
    folder = copy_repository(root, tmp_path_factory.mktemp("quick"))
    _run_and_kill(folder)
    unlocked = snakemake(folder, *QUICK, "--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    finished = snakemake(folder, *QUICK, "--cores", "2", "--rerun-incomplete", timeout=900)
    assert finished.returncode == 0, finished.stdout[-6000:]
    (folder / "run.log").write_text(finished.stdout)
    return folder


def _run_and_kill(folder: Path) -> None:
    """Start the run and kill it, and all its jobs, while the targets are being trained."""
    process = subprocess.Popen(
        [SNAKEMAKE, *QUICK, "--cores", "2"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    results = folder / "results/quick"
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        if any(results.glob("*/target/weights.safetensors")):
            break
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
