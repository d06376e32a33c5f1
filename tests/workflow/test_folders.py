"""Snakemake notices a file that is gone from an output folder."""

import pytest

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow
FOLDER = "resources/quick/datasets/shapes_edit"


@pytest.fixture(scope="module")
def built(checkout):
    run = snakemake(checkout, FOLDER, "--cores", "1", *QUICK)
    assert run.returncode == 0, run.stdout
    return checkout / FOLDER


def planned(checkout):
    return job_counts(snakemake(checkout, FOLDER, "-n", *QUICK).stdout)


@pytest.mark.parametrize("name", ["labels.npy", "scenes.json", "manifest.json", "provenance.json"])
def test_a_deleted_file_is_made_again(checkout, built, name):
    aside = built.parent / name
    (built / name).rename(aside)
    try:
        assert planned(checkout) == {"images_build": 1}
    finally:
        aside.rename(built / name)
    assert not planned(checkout)


def test_a_folder_is_made_again_once(checkout, built):
    (built / "ids.csv").unlink()
    assert planned(checkout)
    assert snakemake(checkout, FOLDER, "--cores", "1", *QUICK).returncode == 0
    assert (built / "ids.csv").is_file()
    assert not planned(checkout)
