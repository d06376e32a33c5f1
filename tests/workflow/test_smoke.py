"""A cut of the smoke run of paper.yaml, to its report; test_paper.py compares the graphs.

With the published behaviours of paper_compat.yaml the same jobs run again, as a slow test.
"""

import csv

import pytest
import yaml
from standins.__main__ import main

from .conftest import copy_repository, snakemake

pytestmark = pytest.mark.workflow

DEFAULT = "config/config.yaml"
KINDS = {
    "paper": ["config/paper.yaml", "config/smoke.yaml"],
    "compat": ["config/paper.yaml", "config/paper_compat.yaml", "config/smoke.yaml"],
}
MADE = "resources/smoke/weights.yaml"

# Three forms of published weights, one annotation set, one audited and one edited network.
CUT = """
models: [resnet18_places365]
model_zoo:
  resnet18_places365:
    {extends: resnet18_places365, units: 6, layers: [layer1, layer4], input: {size: 64}}
corpus: [alexnet/imagenet]
encoder: {model: shufflenet_v2_x1_0_imagenet, layers: [conv1, stage2, stage3]}
captioner: {max_epochs: 8, batch: 8, lm_batch: 8, lr: 1.0e-2, dropout: 0.1, keep: last}
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


@pytest.fixture(scope="module", params=["paper", pytest.param("compat", marks=pytest.mark.slow)])
def smoke_run(request, root, tmp_path_factory):
    """A finished run of the cut, on stand-ins written first."""
    folder = copy_repository(root, tmp_path_factory.mktemp("cut"))
    (folder / "cut.yaml").write_text(CUT)
    files = [*KINDS[request.param], "cut.yaml"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([DEFAULT, *files, "--out", "resources/smoke"]) == 0
    run = snakemake(folder, "--cores", "2", "--configfile", *files, MADE)
    assert run.returncode == 0, run.stdout[-6000:]
    return folder


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_cut_of_the_paper_runs_on_stand_ins(smoke_run):
    results = smoke_run / "results/smoke"
    assert (results / "report/index.html").is_file()
    for name in ("audit", "edit", "captioners"):
        assert (results / name / "section.json").is_file(), name
    units = {"squeezenet1_0_imagenet_blurred": 9 * 6, "text_50pct": 5 * 6}
    units["resnet18_places365"] = 2 * 6
    for name, count in units.items():
        described = rows(results / name / "descriptions.csv")
        assert len(described) == count
        assert any(row["description"] for row in described), name
    taught = rows(results / "captioners/all/seed0/units.csv")
    assert {row["model"] for row in taught} == {"milannotations_alexnet_imagenet"}
    assert len(taught) == 5 * 6


def test_weights_come_from_their_address_and_are_checked(smoke_run):
    addresses = yaml.safe_load((smoke_run / MADE).read_text())["model_zoo"]
    assert set(addresses) == {"shufflenet_v2_x1_0_imagenet", "resnet18_places365"}
    weights = addresses["shufflenet_v2_x1_0_imagenet"]["weights"]
    file = smoke_run / "resources/smoke/weights/shufflenetv2_x1-5666bf0f80.pth"
    lock = yaml.safe_load(file.with_name(f"{file.name}.lock.json").read_text())
    assert lock["sha256"] == weights["sha256"]
    assert lock["checked"] == "against the published digest"
