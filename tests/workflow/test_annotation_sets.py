"""Miniature annotation sets of the published format: learned from, described and scored."""

import csv

import numpy as np
import pytest
from PIL import Image

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow

SIZE, K, UNITS, IMAGES = 32, 5, 12, 24
SETS = ["milannotations_alexnet_imagenet", "milannotations_alexnet_places365"]
NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3))
"""


@pytest.fixture(scope="module")
def overlay(tmp_path_factory):
    """Configuration, set, images and encoder in one folder."""
    root, rng = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    rows = []
    for layer in ("0", "4"):
        folder = root / "set" / layer
        folder.mkdir(parents=True)
        ids = rng.integers(0, IMAGES, (UNITS, K))
        np.savetxt(folder / "ids.csv", ids, fmt="%d", delimiter=",")
        masks = (rng.random((UNITS, K, 1, SIZE, SIZE)) < 0.3).astype(np.uint8)
        np.save(folder / "masks.npy", masks)
        rows += [[layer, unit, f"{word} {unit % 3}"] for unit in range(UNITS)
                 for word in ("dogs", "red", "the sky")]  # fmt: skip
    with (root / "set/annotations.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["layer", "unit", "summary"], *rows])
    for index in range(IMAGES):
        path = root / f"val/n{index % 3}/{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (44, 60, 3), dtype=np.uint8)).save(path)
    (root / "net.py").write_text(NETWORK)
    path = root / "overlay.yaml"
    path.write_text(f"""
models: [shapes_resnet, shapes_alexnet, alexnet]
corpus: [alexnet]
generalization: {{across: {{across architectures: []}}}}
annotation_sets:
  milannotations_alexnet_imagenet: {{path: {root}/set, images: {root}/val, expect: {IMAGES}}}
  milannotations_alexnet_places365: {{path: {root}/set, images: {root}/val, expect: {IMAGES}}}
model_zoo:
  own_encoder: {{factory: {root}/net.py:build, layers: ["0", "2"], dataset: shapes_probe,
                input: {{size: 32}}}}
encoder: {{model: own_encoder, layers: ["0", "2"]}}
captioner: {{max_epochs: 2}}
""")
    return path


def rows(path):
    with path.open() as handle:
        return list(csv.DictReader(handle))


def test_a_set_is_described_and_scored_by_what_another_taught(checkout, overlay):
    held, results = SETS[0], checkout / "results/quick"
    folder = f"generalization/without_{held}/{held}/seed0"
    arguments = ["--cores", "2", *QUICK, str(overlay), "--", f"results/quick/{folder}/scores.csv"]
    result = snakemake(checkout, *arguments)
    assert result.returncode == 0, result.stdout[-4000:]
    units = rows(results / f"captioners/without_{held}/seed0/units.csv")
    assert [row["model"] for row in units] == [SETS[1]] * 2 * UNITS
    described = rows(results / f"{held}/describe/without_{held}/seed0/descriptions.csv")
    assert {row["side"] for row in described} == {"test"}
    assert [row["layer"] for row in described] == ["0"] * UNITS + ["4"] * UNITS
    scores = {(row["method"], row["metric"]): row for row in rows(results / folder / "scores.csv")}
    assert scores["pmi", "bleu"]["n"] == str(2 * UNITS)
    methods = {method for method, _ in scores}
    assert {"constant", "shuffled_prediction", "annotators", "greedy"} <= methods
    assert {"whole_image", "shuffled_masks"} <= methods, "controls of a described set"
    assert not any("accuracy" in metric for _, metric in scores), "nobody knows the concepts"
    again = snakemake(checkout, "-n", *arguments)
    assert "Nothing to be done" in again.stdout, again.stdout
    # An edited file of the set is noticed, although it is no input of the rule.
    table = overlay.parent / "set/annotations.csv"
    table.write_text(table.read_text().replace("dogs 1", "cats 1"))
    assert job_counts(snakemake(checkout, "-n", *arguments).stdout)["features_encode_set"] == 2


def test_sets_are_planned_like_networks(checkout, overlay):
    plan = snakemake(checkout, "-n", *QUICK, str(overlay))
    assert plan.returncode == 0, plan.stdout
    counts = job_counts(plan.stdout)
    assert counts["captioner_train"] == 1 + 2 + 2, "all, without each set, within each set"
    # the two networks, the twin of the audit and the edited network by `all`; sets like networks
    assert counts["describers_units"] == 4 + 2 + 2
    assert counts["generalization_score"] == 2 + 2, "networks have no annotations here"
    assert counts["baselines_score"] == 2
    assert counts["describers_label"] == 0
    assert counts["exemplars_scan"] == 2 * 4, "sets bring their exemplars"


@pytest.mark.slow
def test_a_run_of_sets_alone(checkout, overlay, tmp_path):
    """Tables 2 and 3, the study and the report, without a network of one's own."""
    more = tmp_path / "alone.yaml"
    more.write_text(f"""
models: [alexnet]
pathvars: {{results: results/sets, logs: logs/sets, benchmarks: logs/sets/benchmarks}}
generalization: {{seeds: [0, 1], across: {{two sets: [[{SETS[0]}, alexnet/places365]]}}}}
decoding: {{models: [{SETS[0]}]}}
analyze: {{models: []}}
audit: null
edit: null
""")
    result = snakemake(checkout, "--cores", "2", *QUICK, str(overlay), str(more))
    assert result.returncode == 0, result.stdout[-4000:]
    results = checkout / "results/sets"
    table = rows(results / "generalization/table3.csv")
    assert [(row["experiment"], row["trials"]) for row in table] == [
        *[("leave-one-network-out", "2"), ("within-network", "2")] * 2,
        ("two sets", "2"),
    ]
    assert "accuracy" not in table[0]
    assert {row["model"] for row in rows(results / "baselines/table2.csv")} >= set(SETS)
    assert rows(results / "decoding/table.csv")[0]["model"] == SETS[0]
    assert len(rows(results / f"{SETS[0]}/descriptions.csv")) == 2 * UNITS
    assert SETS[0] in (results / "report/index.html").read_text()
