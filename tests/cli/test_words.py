"""`milan describe --describer words`: mined exemplars, one pass, a page that shows the grades."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from milan_core.cli import main
from milan_core.describers import words
from milan_core.referee.photographs.attributes import SIZE, attribute_columns
from milan_core.referee.photographs.evidence import Evidence
from milan_core.referee.photographs.vocabulary import vocabulary

# Units: redness, its negative, noise-like high frequencies, nothing.
NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 1, bias=False)
    with torch.no_grad():
        conv.weight[:2, :, 0, 0] = torch.tensor([[2., -1, -1], [-1, 2, -1]])
        conv.weight[7] = 0
    return nn.Sequential(conv, nn.ReLU())
"""


def pixels_alone(images, weights, device="cpu"):
    """Evidence of the attributes; no class is probable."""
    batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    batch = torch.nn.functional.interpolate(batch, (SIZE, SIZE))
    known = attribute_columns(batch)
    columns = np.zeros((len(images), len(vocabulary())), np.float32)
    columns[:, -known.shape[1] :] = known
    return Evidence(vocabulary(), columns)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A network of colors, 120 pictures of them, and evidence from pixels alone."""
    monkeypatch.setattr(words, "photograph_evidence", pixels_alone)
    monkeypatch.setattr(words, "lite0_weights", lambda folder: folder)
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for index in range(120):
        color = rng.integers(0, 120, 3)
        if index % 6 == 0:
            color = (210 + index % 40, 20, 30)
        if index % 6 == 1:
            color = (20, 200 + index % 40, 40)
        picture = np.full((32, 32, 3), color, np.uint8)
        Image.fromarray(picture).save(tmp_path / f"images/{index:03}.png")
    return tmp_path


def test_words_come_with_exemplars_and_a_page(own, capsys):
    out = own / "out"
    asked = [
        *("describe", "--model", f"{own}/net.py:build", "--images", own / "images"),
        *("--layers", "1", "--size", 32, "--describer", "words", "--out", out),
    ]
    assert main(list(map(str, asked))) == 0
    assert "report/index.html" in capsys.readouterr().out
    assert (out / "exemplars.safetensors").is_file()
    with (out / "descriptions.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert (rows[0]["description"], rows[0]["grade"]) == ("red areas", "A")
    weak = [row for row in rows if row["grade"] == "B"]
    assert weak
    assert all(row["description"] == "" for row in weak)
    assert (rows[7]["description"], rows[7]["grade"], rows[7]["status"]) == ("", "", "dead")
    page = (out / "report/net.html").read_text()
    assert "grade A" in page
    assert "red areas" in page
    assert weak[0]["tendency"] in page
    assert "no reliable description" in page
    assert "never active: 0 on every image" in page
    overview = (out / "report/index.html").read_text()
    shown = sum(row["grade"] == "A" for row in rows)
    assert f"{shown} of 8 units" in overview
    assert "More images describe more units" in overview
