"""Snakemake plans a job again for other content of what it reads, and for nothing else."""

import os

import numpy as np
import pytest
from copies import copy_repository
from PIL import Image

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
TABLE = "results/quick/my_net/exemplars/exemplars.safetensors"
SCAN = {"exemplars_scan": 2, "exemplars_merge": 1}
NET = """
from torch import nn
from mypkg.parts import act
def build():
    return nn.Sequential(nn.Conv2d(3, 6, 3), act(), nn.Conv2d(6, 8, 3))
"""
OWN = """
models: [my_net]
audit: null
edit: null
model_zoo:
  my_net:
    factory: "mypkg.net:build"
    weights: {source: file, path: w.pt}
    input: {size: 64}
    layers: ["0", "2"]
    dataset: my_images
dataset_zoo:
  my_images: {kind: folder, options: {path: pics, size: 64}}
"""
WEIGHTS = "import torch; from mypkg.net import build; torch.manual_seed({}); \
torch.save(build().state_dict(), {!r})"


@pytest.fixture(scope="module")
def mined(root, tmp_path_factory):
    """A copy of the repository in which a network of the user's was mined."""
    from copies import python

    folder = copy_repository(root, tmp_path_factory.mktemp("contents"))
    for name, text in {"net": NET, "parts": "from torch.nn import ReLU as act\n"}.items():
        (folder / "mypkg").mkdir(exist_ok=True)
        (folder / f"mypkg/{name}.py").write_text(text)
    (folder / "mypkg/__init__.py").touch()
    (folder / "pics").mkdir()
    generator = np.random.default_rng(0)
    for i in range(20):
        pixels = generator.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"pics/{i:02}.bmp")
    for seed, name in ((0, "w.pt"), (1, "other.pt")):
        done = python(folder, "-c", WEIGHTS.format(seed, name))
        assert done.returncode == 0, done.stderr
    (folder / "own.yaml").write_text(OWN)
    done = snakemake(folder, TABLE, "--cores", "1", *QUICK, "own.yaml")
    assert done.returncode == 0, done.stdout
    return folder


def plan(folder, *overlays):
    return job_counts(snakemake(folder, TABLE, "-n", *QUICK, "own.yaml", *overlays).stdout)


def test_touched_files_and_another_device_change_nothing(mined):
    for path in [*mined.glob("pics/*"), *mined.glob("mypkg/*.py"), mined / "other.pt"]:
        path.touch()
    (mined / "gpu.yaml").write_text("device: cuda\n")
    assert not plan(mined, "gpu.yaml")


def test_a_file_that_a_package_imports(mined):
    file = mined / "mypkg/parts.py"
    file.write_text("from torch.nn import Tanh as act\n")
    try:
        assert plan(mined) == SCAN
    finally:
        file.write_text("from torch.nn import ReLU as act\n")


def replaced(file, data):
    """Give a file other bytes of equal length, and the time that it had."""
    stat = file.stat()
    assert len(data) == stat.st_size
    file.write_bytes(data)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "other", "jobs"),
    [
        ("w.pt", "other.pt", SCAN),
        ("pics/03.bmp", "pics/04.bmp", {"images_build": 1, **SCAN}),
    ],
)
def test_a_file_that_was_replaced_by_one_of_equal_size_and_time(mined, name, other, jobs):
    before = (mined / name).read_bytes()
    replaced(mined / name, (mined / other).read_bytes().ljust(len(before), b"\0")[: len(before)])
    try:
        assert plan(mined) == jobs
    finally:
        replaced(mined / name, before)
    assert not plan(mined)
