"""A miniature annotation set of the published format, from its files to a trained captioner."""

import csv

import numpy as np
import pytest
from PIL import Image

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow

SIZE, K, UNITS, IMAGES = 32, 5, 12, 24
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
models: [shapes_resnet, shapes_alexnet]
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


def test_a_captioner_learns_from_annotation_sets(checkout, overlay):
    folder = "results/quick/captioners/all/seed0"
    arguments = ["--cores", "2", *QUICK, str(overlay), "--", f"{folder}/config.json"]
    result = snakemake(checkout, *arguments)
    assert result.returncode == 0, result.stdout[-4000:]
    with (checkout / folder / "units.csv").open() as handle:
        units = list(csv.DictReader(handle))
    sets = ["milannotations_alexnet_imagenet", "milannotations_alexnet_places365"]
    assert [row["model"] for row in units] == [name for name in sets for _ in range(2 * UNITS)]
    again = snakemake(checkout, "-n", *arguments)
    assert "Nothing to be done" in again.stdout, again.stdout
    # An edited file of the set is noticed, although it is no input of the rule.
    table = overlay.parent / "set/annotations.csv"
    table.write_text(table.read_text().replace("dogs 1", "cats 1"))
    assert job_counts(snakemake(checkout, "-n", *arguments).stdout)["annotations_encode"] == 2


def test_networks_are_described_by_what_sets_taught(checkout, overlay):
    plan = snakemake(checkout, "-n", *QUICK, str(overlay))
    assert plan.returncode == 0, plan.stdout
    counts = job_counts(plan.stdout)
    assert counts["captioner_train"] <= 1
    assert counts["describe_units"] == 4, "the two, the twin of the audit and the edited network"
    assert "generalization_score" not in counts, "these networks have no annotations here"
