"""A job that outlives a killed Snakemake does not overwrite the result of the next run."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from copies import SNAKEMAKE, copy_repository, environment

from milan_core.core.files import read_csv
from milan_core.core.records import read_record, verify

from .conftest import QUICK, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
TARGET = "results/quick/shapes_resnet/target"
CONFIG = """
model_zoo: {{shapes_resnet: {{weights: {{epochs: {}}}}}}}
dataset_zoo: {{shapes_train: {{options: {{count: 200}}}}, shapes_test: {{options: {{count: 20}}}}}}
"""


def wait_for(path, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.1)


def jobs_below(process):
    """Processes that Snakemake has started, of any depth."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()[1:]]
    found = {process}
    for _ in range(6):
        found |= {pid for pid, parent in pairs if parent in found}
    return found - {process}


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_after_a_kill_of_snakemake_alone(root, tmp_path):
    folder = copy_repository(root, tmp_path)
    (folder / "long.yaml").write_text(CONFIG.format(200))
    (folder / "short.yaml").write_text(CONFIG.format(1))
    weights = f"{TARGET}/weights.safetensors"
    first = subprocess.Popen(
        [SNAKEMAKE, weights, "--cores", "1", *QUICK, "long.yaml"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(folder / TARGET / "checkpoint.pt")
    orphans = jobs_below(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert alive(orphans), "the training goes on without Snakemake"
    for pid in alive(orphans):  # until the next run has ended
        os.kill(pid, signal.SIGSTOP)
    again = [weights, *QUICK, "short.yaml"]
    assert snakemake(folder, *again, "--unlock").returncode == 0
    done = snakemake(folder, *again, "--cores", "1", "--rerun-incomplete")
    assert done.returncode == 0, done.stdout
    written = (folder / weights).read_bytes()
    for pid in alive(orphans):
        os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + 200
    while alive(orphans) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not alive(orphans)
    assert (folder / weights).read_bytes() == written
    assert len(read_csv(folder / TARGET / "training.csv")) == 1
    assert read_record(folder / TARGET / "provenance.json")["options"]["training"]["epochs"] == 1
    assert verify(folder / TARGET)[1] == []
    assert "Nothing to be done" in snakemake(folder, *again, "-n").stdout
    names = {path.name for path in (folder / TARGET).iterdir()}
    assert names == {"weights.safetensors", "training.csv", "accuracy.csv", "provenance.json"}
