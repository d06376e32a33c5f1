"""Snippets of the README run as they stand."""

import re
import shlex

import numpy as np
import pytest
import torch
from paths import ROOT, TESTS
from PIL import Image
from released import write_container
from torch import nn

from milan_core.captioner.features.published import encoder_spec
from milan_core.cli import build_parser, main
from milan_core.networks.zoo import build

README = (ROOT / "README.md").read_text(encoding="utf-8")
GOLDEN = TESTS / "data/golden/decoder/decoder.pth"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory):
    """A folder with a small captioner where the README expects one."""
    folder = tmp_path_factory.mktemp("readme")
    torch.manual_seed(0)
    write_container(GOLDEN, build(encoder_spec("resnet18")), folder / "milan-mini.pth")
    out = folder / "results/captioners/all/seed0"
    words = ["--release", folder / "milan-mini.pth", "--out", out]
    assert main(["captioner", "convert", *map(str, words)]) == 0
    return folder


def test_the_python_snippet(captioner, monkeypatch):
    monkeypatch.chdir(captioner)
    layers = {"layer1": nn.Conv2d(3, 2, 9, 8), "layer4": nn.Conv2d(2, 3, 3)}
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    pixels = np.random.default_rng(0).integers(0, 256, (15, 64, 64, 3), dtype=np.uint8)
    names = {"model": model, "pixels": pixels}
    (snippet,) = blocks("python")
    exec(compile(snippet, "README.md", "exec"), names)
    rows = names["rows"]
    assert [(row["layer"], row["unit"]) for row in rows] == [
        ("layer1", 0), ("layer1", 1), ("layer4", 0), ("layer4", 1), ("layer4", 2),
    ]  # fmt: skip
    assert {"layer", "unit", "description", "score"} <= set(rows[0])
    assert names["result"].masks("layer4", size=224).shape[-2:] == (224, 224)


def test_the_command_of_one_line(captioner, tmp_path, monkeypatch):
    """Outside of the clone, as written; only pictures, network and a folder are added."""
    monkeypatch.chdir(captioner)
    (captioner / "my_net.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    net = nn.Sequential()\n"
        "    net.add_module('conv1', nn.Conv2d(3, 2, 9, 8))\n"
        "    return net\n"
    )
    (captioner / "pictures").mkdir()
    for number in range(15):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(captioner / f"pictures/{number}.png")
    torch.save({"conv1.weight": torch.randn(2, 3, 9, 9), "conv1.bias": torch.zeros(2)}, "w.pt")
    (line,) = [line for line in README.splitlines() if line.startswith("milan describe")]
    assert main(shlex.split(line)[1:]) == 0
    assert (captioner / "my_net/atlas/index.html").is_file()


def test_every_command_is_understood():
    parser = build_parser()
    for line in "\n".join(blocks("")).splitlines():
        if not line.startswith(("milan ", "snakemake ")):
            continue
        words = shlex.split(line, comments=True)
        if words[0] == "milan":
            parser.parse_args(words[1:])
        if "--configfile" in words:
            after = words[words.index("--configfile") + 1 :]
            assert all(word.endswith(".yaml") for word in after), "targets come first"
