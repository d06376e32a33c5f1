"""The whole quick run by a real SLURM: arrays, a job killed for memory, a node that fails.

    MILAN_TEST_SLURM=1 pytest -m slow tests/cluster/test_slurm.py

Needs root, the packages of SLURM from Debian or Ubuntu and the extra `slurm`; MILAN_TEST_SLURM=1
installs the packages. MILAN_TEST_SLURM_LOG names a file that keeps Snakemake's output, and
MILAN_TEST_SLURM_LOCAL the folder of a finished local quick run of this code, which is compared in
place of one that the test makes. MILAN_TEST_SLURM_TARGETS, files or folders of the quick run with a
space between them, makes both runs shorter.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from compare_runs import compare, read_run
from copies import SNAKEMAKE, copy_repository, environment
from workflow.conftest import snakemake

from .slurm import PACKAGES, Cluster, why_not

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.timeout(14400)]

SHARDS = 4
TARGETS = os.environ.get("MILAN_TEST_SLURM_TARGETS", "all").split()
ARRAYS = ("images_build", "exemplars_scan")
FAILING = "networks_train"
ARGUMENTS = [
    *("--workflow-profile", "profiles/slurm", "--configfile", "config/quick.yaml", "shards.yaml"),
    *("--slurm-no-account", "--slurm-status-command", "squeue", "--latency-wait", "120"),
    *("--slurm-array-jobs", ",".join(ARRAYS)),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    # The networks stay on the CPU; their jobs still ask SLURM for a GPU.
    *("--set-resources", "exemplars_scan:gpu=1"),
    # Too little for torch at first, enough at the second attempt.
    *("features_encode:mem_mb=150*(attempt**4)",),
    "--verbose",
]


@pytest.fixture(scope="module")
def cluster():
    """A running cluster, which ends with the tests."""
    if why_not() and os.environ.get("MILAN_TEST_SLURM") == "1" and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(command, check=True)
    if reason := why_not():
        pytest.skip(reason)
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("pip install 'milan-workflow[slurm]' first")
    root = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))
    running = Cluster(root)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory, cluster):
    """The run on the cluster, with a node that fails during it, and a local one in two shards."""
    there = copy_repository(root, tmp_path_factory.mktemp("slurm"))
    shutil.copytree(root / "profiles", there / "profiles")
    (there / "shards.yaml").write_text(f"exemplars: {{shards: {SHARDS}}}\n")
    here = local_run(root, tmp_path_factory)
    log = there / "run.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [SNAKEMAKE, *ARGUMENTS, "--", *TARGETS],
            cwd=there,
            env=cluster.environment(environment(there)),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        failing = threading.Thread(target=fail_once, args=(cluster, process))
        failing.start()
        try:
            returncode = process.wait(12000)
        finally:
            if process.poll() is None:  # cancel the jobs first, Snakemake waits for them
                cluster.ask("scancel", "--user=root")
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(60)
                process.kill()
            failing.join(120)
    if keep := os.environ.get("MILAN_TEST_SLURM_LOG"):
        shutil.copy2(log, keep)
        shutil.copy2(cluster.root / "log/slurmctld.log", f"{keep}.slurmctld")
    assert returncode == 0, log.read_text()[-6000:]
    return here, there


def local_run(root: Path, tmp_path_factory) -> Path:
    """The same run without a cluster, in the two shards of the quick configuration."""
    if finished := os.environ.get("MILAN_TEST_SLURM_LOCAL"):
        return Path(finished)
    here = copy_repository(root, tmp_path_factory.mktemp("local"))
    arguments = ["--cores", "2", "--configfile", "config/quick.yaml", "--", *TARGETS]
    local = snakemake(here, *arguments, timeout=7200)
    assert local.returncode == 0, local.stdout[-3000:]
    return here


def fail_once(cluster: Cluster, process: subprocess.Popen) -> None:
    """Let the node of a network that is trained fail, and come back when SLURM has noticed."""
    while process.poll() is None:
        for line in cluster.ask("squeue", "-h", "-t", "RUNNING", "-o", "%N %k").splitlines():
            node, _, comment = line.partition(" ")
            if FAILING in comment:
                time.sleep(2)
                cluster.fail_node(node)
                cluster.wait_for(["down"], node, seconds=120)
                cluster.start_node(node)
                cluster.wait_for(["idle", "mixed", "allocated"], node, seconds=120)
                return
        time.sleep(0.5)


def test_results_are_those_of_a_local_run(runs):
    """Every file but records, times and shards, whose number differs; then bytes of arrays."""
    here, there = (read_run(folder / "results/quick", ["*/shards/*"]) for folder in runs)
    compared = compare(here, there)
    assert len(compared.equal) > (200 if TARGETS == ["all"] else 5)
    assert list(compared.differences()) == []
    data = [read_run(folder / "resources/quick", []) for folder in runs]
    assert list(compare(*data).differences()) == []
    for name in ("exemplars", "activations"):
        path = f"results/quick/shapes_resnet/exemplars/{name}.safetensors"
        assert (runs[0] / path).read_bytes() == (runs[1] / path).read_bytes()
    shards = list((runs[1] / "results/quick/shapes_resnet/exemplars/shards").glob("*-of-4.safet*"))
    assert len([path for path in shards if "activations" not in path.name]) == SHARDS


@pytest.mark.parametrize("rule", ARRAYS)
def test_jobs_go_as_arrays(runs, rule):
    log = (runs[1] / "run.log").read_text()
    calls = [line for line in log.splitlines() if "sbatch" in line and rule in line]
    sizes = [int(n) for call in calls for n in re.findall(r"--array=1-(\d+)", call)]
    assert max(sizes, default=0) >= 3, calls


def test_every_shard_asks_for_a_gpu(runs):
    log = (runs[1] / "run.log").read_text()
    calls = [line for line in log.splitlines() if "sbatch" in line and "exemplars_scan" in line]
    assert calls
    assert all("--gpus=1" in line for line in calls)


def test_a_job_killed_for_memory_asks_for_more(runs):
    log = (runs[1] / "run.log").read_text()
    asked = re.findall(r"--mem (\d+)", "".join(re.findall(r"sbatch.*features_encode.*", log)))
    assert asked[:2] == ["150", "2400"], asked


def test_a_failed_node_works_again(runs, cluster):
    log = (runs[1] / "run.log").read_text()
    assert "failed due to a node failure" in log
    controller = (cluster.root / "log/slurmctld.log").read_text()
    assert "not responding, setting DOWN" in controller
    assert "now responding" in controller or "returned to service" in controller


def test_every_daemon_ends(runs, cluster):
    """The last test: what was started is gone afterwards."""
    started = [process.pid for process in cluster.running.values()]
    cluster.stop()
    assert not cluster.running
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
