"""One quick run of the whole workflow in a copy of the repository, killed once on the way."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from copies import SNAKEMAKE, copy_repository, environment

QUICK = ["--configfile", "config/quick.yaml"]


def snakemake(
    folder: Path, *arguments: str, code: Path | None = None, timeout: int = 600
) -> subprocess.CompletedProcess:
    """Run Snakemake in a folder with the code in `code`, by default that of the folder itself.

    Output and errors come back together.
    """
    return subprocess.run(
        [SNAKEMAKE, *arguments],
        cwd=folder,
        env=environment(code or folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


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
