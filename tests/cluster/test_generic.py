"""The whole quick run by the executor of clusters, with plain bash as the cluster.

    pytest -m slow tests/cluster/test_generic.py

Needs snakemake-executor-plugin-cluster-generic. Every job starts a Snakemake of its own, which is
too slow for the gate; `.github/workflows/cluster.yml` runs it.
"""

import importlib.util
import os
import re
import shutil

import pytest
from copies import copy_repository
from workflow.conftest import QUICK, snakemake
from workflow.plans import job_counts

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.timeout(7200)]
NOTHING = "Nothing to be done"


def test_every_job_of_the_quick_run_goes_through_the_executor(root, tmp_path):
    """A local plan afterwards finds nothing to do."""
    if importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None:
        pytest.skip("pip install snakemake-executor-plugin-cluster-generic first")
    folder = copy_repository(root, tmp_path / "run")
    shutil.copytree(root / "profiles", folder / "profiles")
    planned = job_counts(snakemake(folder, "-n", *QUICK).stdout)
    run = snakemake(folder, "--workflow-profile", "profiles/ci", *QUICK, timeout=7000)
    if keep := os.environ.get("MILAN_TEST_SLURM_LOG"):
        (folder / "run.log").write_text(run.stdout)
        shutil.copy2(folder / "run.log", keep)
    assert run.returncode == 0, run.stdout[-6000:]
    started = len(re.findall(r"Command: .*--target-jobs .*--mode remote", run.stdout))
    assert started >= sum(planned.values()) - 30, "the rest is local"
    assert NOTHING in snakemake(folder, "-n", *QUICK).stdout
