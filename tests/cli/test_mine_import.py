"""`milan mine import`: what `export` and the authors' code wrote comes back."""

import numpy as np
import pytest
from PIL import Image

from milan_core.cli import main
from milan_core.exemplars.store import load_exemplars

NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exemplars of a small network, and the published layout of them."""
    folder = tmp_path_factory.mktemp("import")
    (folder / "net.py").write_text(NETWORK)
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"pictures/{index}.png")
    network = ["--model", f"{folder}/net.py:build", "--layers", "1", "--size", "32", "--k", "3"]
    images = ["--images", f"{folder}/pictures"]
    assert main(["mine", *network, *images, "--out", f"{folder}/mined"]) == 0
    mined = ["--exemplars", f"{folder}/mined/exemplars.safetensors"]
    shown = ["--dataset", f"{folder}/mined/dataset", "--size", "32"]
    assert main(["mine", "export", *mined, *shown, "--out", f"{folder}/old"]) == 0
    return folder


def bring(folder, *words):
    return main(["mine", "import", f"{folder}/old", "--out", f"{folder}/new", *words])


def test_exemplars_come_back(exported, capsys):
    assert bring(exported) == 0
    assert "1 layer, 4 units" in capsys.readouterr().out
    old, new = (
        load_exemplars(exported / name / "exemplars.safetensors") for name in ("mined", "new")
    )
    assert list(new.layers) == list(old.layers) == ["1"]
    assert np.array_equal(new.ids("1"), old.ids("1"))
    assert np.array_equal(new.masks("1", size=32), old.masks("1", size=32))
    assert main(["verify", f"{exported}/new"]) == 0


def test_mistakes_are_one_sentence(exported, tmp_path, capsys):
    assert main(["mine", "import", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "expected <layer>/ids.csv" in capsys.readouterr().err
    assert bring(exported, "--layers", "9") == 2
    assert "9/ids.csv not found" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
