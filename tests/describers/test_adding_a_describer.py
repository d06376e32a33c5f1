"""docs/how-to/add-a-describer.md, as it says: in a file of one's own, and in the package."""

import csv
import re

import numpy as np
import pytest
import yaml
from copies import copy_repository, milan
from paths import ROOT
from PIL import Image

from milan_core.cli import main
from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.core.options import canonical
from milan_core.core.step import Compute
from milan_core.describers.abstention.plan import told_tables
from milan_core.describers.listed.options import ListedDescriber
from milan_core.describers.listed.plan import check_listed, contents_of_listed, listed_pairs
from milan_core.describers.listed.step import DescribeListed
from milan_core.plan.checks import parse_config

TEXT = (ROOT / "docs/how-to/add-a-describer.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
NETWORK = """
import torch
from torch import nn

def build():
    conv = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        conv.weight[:] = 0
        conv.weight[0] = 1
        conv.weight[1] = -1
    net = nn.Sequential()
    net.add_module("conv1", conv)
    return net
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network of brightness, darkness and nothing, gray pictures, and the describer's file."""
    folder = tmp_path_factory.mktemp("shade")
    (folder / "my_net.py").write_text(NETWORK)
    (folder / "shade.py").write_text(CODE)
    (folder / "pictures").mkdir()
    for index in range(40):
        picture = np.full((32, 32, 3), 6 * index, np.uint8)
        Image.fromarray(picture).save(folder / f"pictures/{index:02}.png")
    return folder


def ask(folder, out, describer):
    return [
        *("describe", "--model", f"{folder}/my_net.py:build", "--images", f"{folder}/pictures"),
        *("--layers", "conv1", "--size", "32", "--k", "4", "--out", str(out)),
        *("--describer", describer, "--options", '{"bright": 0.6}'),
    ]


def texts(path):
    with path.open(newline="") as handle:
        return [row["description"] for row in csv.DictReader(handle)]


EXPECTED = ["bright areas", "dark areas", ""]


def test_a_file_of_ones_own(folder, tmp_path):
    assert main(ask(folder, tmp_path / "out", f"{folder}/shade.py:Shade")) == 0
    assert texts(tmp_path / "out/descriptions.csv") == EXPECTED


def test_the_list_of_a_configuration(root, folder, tmp_path):
    """Planned for every network, on the leaderboard, planned again when the file changes."""
    (listed,) = [yaml.safe_load(part) for part in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    listed["describers"]["shade"]["describer"] = f"{folder}/shade.py:Shade"
    raw = merge(load([root / "config/config.yaml"]), listed)
    config = parse_config(merge(raw, {"describe": {"candidates": ["shade"]}}))
    check_listed(config)
    assert ("vit_mini", "shade") in listed_pairs(config)
    assert told_tables(config, "vit_mini")["shade"] == "vit_mini/listed/shade/descriptions.csv"
    before = list(contents_of_listed(config.describers["shade"]))
    (folder / "shade.py").write_text(CODE.replace("bright areas", "light areas"))
    assert list(contents_of_listed(config.describers["shade"])) != before
    (folder / "shade.py").write_text(CODE)
    assert main(ask(folder, tmp_path / "mined", f"{folder}/shade.py:Shade")) == 0
    for name, options in (("shade", {"bright": 0.6}), ("constant", {"text": "a thing"})):
        source = f"{folder}/shade.py:Shade" if name == "shade" else name
        DescribeListed(
            listed=ListedDescriber(describer=source, options=options),
            exemplars=tmp_path / "mined/exemplars.safetensors",
            dataset=tmp_path / "mined/dataset",
            descriptions=tmp_path / f"{name}.csv",
        ).run(Compute())
    assert texts(tmp_path / "shade.csv") == EXPECTED
    assert texts(tmp_path / "constant.csv") == ["a thing", "a thing", ""]
    assert "bright" in canonical(config.describers["shade"])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("clip_dissect", {"describer": "constant"}, "another describer of the run"),
        ("x", {"describer": "constnat"}, "did you mean 'constant'"),
        ("x", {"describer": "constant", "options": {"txet": "a"}}, "did you mean text"),
        ("x", {"describer": "pool"}, "describes every network already"),
        ("x", {"describer": "netdissect"}, "is run by baselines.methods"),
        ("x", {"describer": "words"}, "add mean to exemplars.table"),
        ("x", {"describer": "nowhere.py:Mine"}, "no file 'nowhere.py'"),
        ("x", {"describer": "linear", "models": ["resnet_mni"]}, "did you mean 'resnet_mini'"),
    ],
)
def test_what_the_list_refuses(root, name, change, words):
    raw = merge(load([root / "config/config.yaml"]), {"describers": {name: change}})
    with pytest.raises(UserError, match=re.escape(words)):
        parse_config(raw)


@pytest.mark.slow
def test_in_the_package(folder, tmp_path):
    """The four files, in a copy of the repository."""
    files = re.findall(r"^\d\. `([^`]+)`", TEXT, re.MULTILINE)
    assert len(files) == 4
    copy = copy_repository(ROOT, tmp_path / "copy")
    head, options, describer = re.split(r"\n\n\n(?=class )", CODE)
    declarations = copy / files[0]
    declarations.write_text(declarations.read_text() + f"\n\n{options}\n")
    imported = "from milan_core.describers.options import ShadeOptions"
    (copy / files[1]).write_text(f"{head}\n{imported}\n\n\n{describer}\n")
    done = milan(copy, *ask(folder, tmp_path / "out", "shade"))
    assert done.returncode == 0, done.stderr
    assert texts(tmp_path / "out/descriptions.csv") == EXPECTED
