"""The workflow deployed elsewhere: as a module of a repository, and by `milan init`."""

import subprocess

import pytest
from copies import copy_repository

from milan_core.cli.init import init

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow

MODULE = """
configfile: "config/config.yaml"


module milan:
    snakefile:
        gitfile({repository!r}, path="workflow/Snakefile", ref="main")
    config:
        config


use rule * from milan
"""
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]


@pytest.fixture(scope="module")
def repository(root, tmp_path_factory):
    """A Git repository of this state, as a host would serve it."""
    folder = copy_repository(root, tmp_path_factory.mktemp("served"))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "State"]):
        subprocess.run([*GIT, *words], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def planned(checkout):
    """Jobs that the clone itself plans for the quick run."""
    run = snakemake(checkout, "-n", *QUICK)
    assert run.returncode == 0, run.stdout[-3000:]
    return job_counts(run.stdout)


def test_a_module_of_a_repository_plans_the_same_jobs(repository, planned, tmp_path):
    (tmp_path / "Snakefile").write_text(MODULE.format(repository=str(repository)))
    (tmp_path / "config").symlink_to(repository / "config")
    run = snakemake(tmp_path, "-n", *QUICK, code=repository)
    assert run.returncode == 0, run.stdout[-3000:]
    assert job_counts(run.stdout) == planned


def test_an_initialized_folder_plans_the_same_jobs(repository, planned, tmp_path):
    init(tmp_path)
    run = snakemake(tmp_path, "-n", *QUICK, code=repository)
    assert run.returncode == 0, run.stdout[-3000:]
    assert job_counts(run.stdout) == planned


def test_a_machine_without_the_package_is_told_so(repository, tmp_path):
    """One sentence instead of an ImportError, as in a catalog's linter."""
    (tmp_path / "Snakefile").write_text(MODULE.format(repository=str(repository)))
    (tmp_path / "config").symlink_to(repository / "config")
    (tmp_path / "hidden").mkdir()
    hide = "import sys\nsys.modules['milan_core'] = None\n"
    (tmp_path / "hidden/sitecustomize.py").write_text(hide)
    run = snakemake(tmp_path, "-n", code=tmp_path / "hidden")
    assert run.returncode != 0
    assert "milan-workflow is not installed" in run.stdout
    assert "Traceback" not in run.stdout
