"""The rehearsal of paper.yaml: the same graph as the paper's, and a cut of it run to its report."""

import csv

import pytest
import yaml

from milan_core.cli import main
from milan_core.cli.config import load
from milan_core.config import parse_config
from milan_core.rehearsal import wanted

from .conftest import copy_repository, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow

DEFAULT = "config/config.yaml"
PAPER = ["config/paper.yaml"]
REHEARSAL = [*PAPER, "config/rehearsal.yaml"]
COMPAT = "config/paper_compat.yaml"
MADE = "resources/rehearsal/weights.yaml"

# One network from published weights, one annotation set, one audited and one edited network.
CUT = """
models: [shufflenet_v2_x1_0_imagenet]
corpus: [alexnet/imagenet]
encoder: {model: shufflenet_v2_x1_0_imagenet, layers: [conv1, stage2, stage3]}
captioner: {max_epochs: 2, hidden: 64, lm_hidden: 64}
describe: {beam_size: 5}
analyze: {models: [], parser: null, vectors: null}
audit: {pairs: [], models: [squeezenet1_0_imagenet_blurred]}
edit:
  trials:
    - model: text_50pct
      ranking: text_50pct_heldout
      validation: {clean: text_choice, adversarial: text_choice_wrong}
      test: {clean: text_test, correct: text_test_right, adversarial: text_test_wrong}
  draws: 1
  steps: [0, 1]
"""


def place_by_hand(folder, files):
    """An empty file or folder wherever a configuration expects one that nobody fetches."""
    config = parse_config(load([folder / name for name in (DEFAULT, *files)]))
    for path in wanted.class_folders(config):
        (folder / path).mkdir(parents=True)
    for name in config.annotation_sets:
        (folder / config.annotation_sets[name].path).parent.mkdir(parents=True, exist_ok=True)
        (folder / config.annotation_sets[name].path).touch()
    for name in wanted.published_weights(config):
        weights = config.model_zoo[name].weights
        path = folder / config.pathvars["resources"] / "weights" / weights.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        if not weights.url:
            path.touch()


@pytest.fixture(scope="module")
def with_files(root, tmp_path_factory):
    folder = copy_repository(root, tmp_path_factory.mktemp("rehearsal"))
    for files in (PAPER, REHEARSAL):
        place_by_hand(folder, files)
    return folder


def test_the_graph_is_that_of_the_paper(with_files):
    paper, rehearsal = (
        snakemake(with_files, "-n", "--configfile", *files) for files in (PAPER, REHEARSAL)
    )
    assert rehearsal.returncode == 0, rehearsal.stdout[-3000:]
    counts = job_counts(rehearsal.stdout)
    assert counts == job_counts(paper.stdout)
    assert sum(counts.values()) > 150


@pytest.fixture(scope="module")
def rehearsed(root, tmp_path_factory):
    """A finished run of the cut, after one call of `milan rehearsal make`."""
    folder = copy_repository(root, tmp_path_factory.mktemp("cut"))
    (folder / "cut.yaml").write_text(CUT)
    files = [*REHEARSAL, "cut.yaml"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = ["rehearsal", "make", DEFAULT, *files, "--out", "resources/rehearsal"]
        assert main(made) == 0
    run = snakemake(folder, "--cores", "2", "--configfile", *files, MADE)
    assert run.returncode == 0, run.stdout[-6000:]
    return folder


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_cut_of_the_paper_runs_on_stand_ins(rehearsed):
    results = rehearsed / "results/rehearsal"
    assert (results / "report/index.html").is_file()
    for name in ("audit", "edit", "captioners"):
        assert (results / name / "section.json").is_file(), name
    for name, units in (("squeezenet1_0_imagenet_blurred", 9 * 6), ("text_50pct", 5 * 6)):
        described = rows(results / name / "descriptions.csv")
        assert len(described) == units
    taught = rows(results / "captioners/all/seed0/units.csv")
    assert {row["model"] for row in taught} == {"milannotations_alexnet_imagenet"}
    assert len(taught) == 5 * 6


def test_weights_come_from_their_address_and_are_checked(rehearsed):
    addresses = yaml.safe_load((rehearsed / MADE).read_text())["model_zoo"]
    assert set(addresses) == {"shufflenet_v2_x1_0_imagenet"}
    weights = addresses["shufflenet_v2_x1_0_imagenet"]["weights"]
    file = rehearsed / "resources/rehearsal/weights/shufflenetv2_x1-5666bf0f80.pth"
    lock = yaml.safe_load(file.with_name(f"{file.name}.lock.json").read_text())
    assert lock["sha256"] == weights["sha256"]
    assert lock["checked"] == "against the published digest"
