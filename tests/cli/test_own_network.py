"""The network of `milan describe`: a factory, a file with its code, an entry in a file."""

import argparse
import csv
import json
import runpy
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from paths import TESTS
from PIL import Image
from released import write_container

from milan_core.captioner.features.published import encoder_spec
from milan_core.cli import main
from milan_core.cli.own_network import display_name, own_network, require_layers
from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, write_csv
from milan_core.describers.labels import FORM
from milan_core.networks.inspect_entry import describe_layers
from milan_core.networks.minis.efficientnet_lite import efficientnet_lite0
from milan_core.networks.options import Entry, InputSpec
from milan_core.networks.zoo import build, load_network

GOLDEN = TESTS / "data/golden/decoder/decoder.pth"
NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 7, stride=8), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU())
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a published captioner, images, and one network in three forms."""
    folder = tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    write_container(GOLDEN, build(encoder_spec("resnet18")), folder / "milan-mini.pth")
    (folder / "net.py").write_text(NETWORK)
    network = runpy.run_path(str(folder / "net.py"))["build"]()
    torch.save(network.state_dict(), folder / "weights.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.zeros(1, 3, 96, 96)).save(str(folder / "script.pt"))
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for index in range(6):
        pixels = rng.integers(0, 255, (6, 7, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((130, 120), Image.Resampling.BICUBIC)
        picture.save(folder / f"images/{index}.png")
    return folder


def described(own, out, *more):
    words = ["--images", own / "images", "--captioner", own / "milan-mini.pth", "--k", 3]
    code = main(["describe", *map(str, [*words, "--out", out, *more])])
    if code:
        return code
    with (out / "descriptions.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_one_network_in_every_form(own, tmp_path, capsys):
    size = ["--size", "96"]
    plain = described(
        own, tmp_path / "a", "--model", f"{own}/net.py:build", "--weights", own / "weights.pt",
        "--layers", "3", *size,
    )  # fmt: skip
    assert [row["layer"] for row in plain] == ["3"] * 3
    script = ["--model", f"torchscript:{own}/script.pt", "--layers", "3", *size]
    assert described(own, tmp_path / "b", *script) == 2
    assert "holds a program" in capsys.readouterr().err
    assert described(own, tmp_path / "b", *script, "--trust") == plain
    printed = describe_layers(f"torchscript:{own}/script.pt", {}, 96, trust=True).split("\n\n")[1]
    entry = yaml.safe_load(printed)["my_network"]
    (tmp_path / "entry.yaml").write_text(yaml.safe_dump({"net": {**entry, "layers": ["3"]}}))
    assert described(own, tmp_path / "c", "--model", f"@{tmp_path}/entry.yaml") == plain
    record = json.loads((tmp_path / "c/provenance.json").read_text())
    assert str(tmp_path / "entry.yaml") in str(record)
    assert "assumed" not in capsys.readouterr().err, "the entry says all of the input"


def test_what_was_assumed_is_said_and_what_was_used_is_recorded(own, tmp_path, caplog):
    model = ["--model", f"{own}/net.py:build", "--weights", own / "weights.pt", "--layers", "3"]
    with caplog.at_level("WARNING"):
        described(own, tmp_path / "a", *model, "--lambda", "0.5")
    assumed = (
        "assumed of the network's input: 224 x 224 pixels (--size) and ImageNet's mean and std"
    )
    assert assumed in caplog.text
    record = json.loads((tmp_path / "a/provenance.json").read_text())
    network = record["network"]
    assert network["input"] == InputSpec().facts()
    assert network["layers"] == ["3"]
    assert network["weights"]["sha256"] == file_sha256(own / "weights.pt")
    assert network["files"] == {str(own / "net.py"): file_sha256(own / "net.py")}
    assert record["describer"]["decoding"]["temperature"] == 0.5
    assert record["describer"]["decoding"]["beam_size"] == 50
    assert record["captioner"] == str(own / "milan-mini.pth")
    assert str(own / "milan-mini.pth") in record["inputs"]
    assert record["images"]["count"] == 6
    assert len(record["images"]["fingerprint"]) == 64
    assert record["code"]
    caplog.clear()
    form = ["--size", "96", "--mean", "0.5", "0.5", "0.5", "--std", "1", "1", "1"]
    described(own, tmp_path / "b", *model, *form)
    assert "assumed" not in caplog.text


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("torchvision:resnet18", "resnet18"),
        ("timm:resnet18.a1_in1k", "resnet18.a1_in1k"),
        ("hf:facebook/dinov2-base", "dinov2-base"),
        ("hf:facebook/dinov2-base@3f3f", "dinov2-base"),
        ("torchscript:nets/script.pt", "script"),
        ("nets/my_net.py:build", "my_net"),
        ("package.nets:small", "small"),
        ("@entries/mine.yaml", "mine"),
        ("alexnet_imagenet", "alexnet_imagenet"),
    ],
)
def test_what_a_page_calls_the_network(model, name):
    assert display_name(model) == name


def test_an_image_that_cannot_be_read(own, tmp_path, capsys):
    images = tmp_path / "images"
    shutil.copytree(own / "images", images)
    (images / "bad.png").write_bytes(b"bad")
    words = ["mine", "--model", f"{own}/net.py:build", "--layers", "3", "--size", "96", "--k", "3"]
    words += ["--images", str(images), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "--on-error skip" in capsys.readouterr().err
    assert main([*words, "--on-error", "skip"]) == 0
    record = json.loads((tmp_path / "out/provenance.json").read_text())
    assert record["images"]["count"] == 6


def spec(model, **changes):
    names = ("weights", "layers", "size", "mean", "std")
    values = {**dict.fromkeys(names), "trust": False, **changes}
    return own_network(argparse.Namespace(model=model, **values))


def test_the_command_line_is_laid_over_the_entry(tmp_path):
    path = tmp_path / "net.json"
    entry = {
        "factory": "a:b", "layers": ["x"], "tokens": {"class_tokens": 5}, "channels_last": True,
        "input": {"size": 64, "mean": [0.5] * 3}, "kwargs": {"width": 2},
        "weights": {"source": "file", "path": "old.pt", "keys": {"^a": "b"}},
    }  # fmt: skip
    path.write_text(json.dumps(entry))
    given = spec(f"@{path}")
    assert given == Entry.model_validate(entry)
    changed = spec(f"@{path}", size=32, weights="new.pt", layers=["y"], trust=True)
    assert changed.input == InputSpec(size=32, mean=(0.5, 0.5, 0.5))
    assert (changed.weights.path, changed.weights.keys) == ("new.pt", {"^a": "b"})
    assert (changed.layers, changed.trust) == (["y"], True)
    assert changed.tokens == given.tokens
    built_in = spec("vgg11_imagenet", weights="w.pth").weights
    assert (built_in.source, built_in.path, built_in.sha256) == ("download", "w.pth", None)
    assert spec("a:b", layers=["x"]).input.size == 224


def test_networks_of_the_world_are_known_by_name(tmp_path, monkeypatch):
    """One word names factory, input, layers and, from its asset, the weights."""
    monkeypatch.chdir(tmp_path)
    lite = spec("efficientnet_lite0")
    assert (lite.input.size, lite.input.std) == (128, (0.5, 0.5, 0.5))
    assert lite.layers[-1] == "_blocks.14"
    assert spec("efficientnet_lite0", layers=["_blocks.3"]).layers == ["_blocks.3"]
    file = tmp_path / "resources/assets/efficientnet_lite0" / lite.weights.path
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(efficientnet_lite0().state_dict(), file)
    loaded = load_network(lite)
    assert Path(loaded.spec.weights.path).samefile(file)
    mine = spec("resnet_mini", weights="w.safetensors")
    assert (mine.weights.source, mine.weights.path) == ("file", "w.safetensors")
    with pytest.raises(UserError, match="is made by a run; give the file that it made"):
        load_network(spec("resnet_mini"))


def test_mistakes_are_sentences(tmp_path):
    with pytest.raises(UserError, match="--layers: name the layers"):
        require_layers(spec("a:b"))
    with pytest.raises(UserError, match=r"cannot read nowhere\.yaml"):
        spec("@nowhere.yaml")
    path = tmp_path / "net.yaml"
    for text in ("[1, 2]", "{layers: [x]}", "a: {b: c}"):
        path.write_text(text)
        with pytest.raises(UserError, match="holds no entry of model_zoo"):
            spec(f"@{path}")


def test_a_failed_run_leaves_nothing(own, tmp_path, capsys):
    model = ["--model", f"{own}/net.py:build", "--layers", "3", "--size", "96"]
    (tmp_path / "empty").mkdir()
    assert described(own, tmp_path / "out", *model, "--images", tmp_path / "empty") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert described(own, tmp_path / "out", *model)
    (tmp_path / "out/notes.txt").write_text("mine")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert described(own, tmp_path / "out", *model, "--images", tmp_path / "empty") == 2
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert after == before, "what was there stays as it was"
    capsys.readouterr()
    assert described(own, tmp_path / "out", *model)
    assert (tmp_path / "out/notes.txt").read_text() == "mine"
    printed = capsys.readouterr().out.splitlines()
    assert printed.pop() == "3 of 3 units have a description"
    assert printed == [
        str(tmp_path / "out" / name)
        for name in (
            "descriptions.csv", "candidates.csv", "beams.safetensors", "atlas/index.html",
        )
    ]  # fmt: skip


def test_other_describers_on_the_same_network(own, tmp_path, capsys):
    model = ["--model", f"{own}/net.py:build", "--layers", "3", "--size", "96"]
    constant = ["--describer", "constant", "--options", '{"text": "a thing"}']
    rows = described(own, tmp_path / "a", *model, *constant)
    assert [row["description"] for row in rows] == ["a thing"] * 3
    label = [*model, "--describer", "netdissect"]
    assert described(own, tmp_path / "b", *label) == 2
    assert "'netdissect' needs masks of concepts" in capsys.readouterr().err
    broden = tmp_path / "broden"
    (broden / "images").mkdir(parents=True)
    write_csv(broden / "label.csv", ("number", "name", "category"), [(1, "street", "scene")])
    images = [(f"{index}.png", 1) for index in range(6)]
    write_csv(broden / "index.csv", ("image", "scene"), images)
    rows = described(own, tmp_path / "c", *label, "--concepts", broden)
    assert {row["description"] for row in rows} <= {"street", ""}
    assert list(rows[0]) == ["layer", "unit", "description", *FORM.columns]
    assert described(own, tmp_path / "d", *model, *constant, "--strategy", "beam") == 2
    assert "flags of decoding are for describers milan and pool" in capsys.readouterr().err
    assert described(own, tmp_path / "d", *model, "--describer", "milna") == 2
    assert "did you mean 'milan'" in capsys.readouterr().err


def test_folders_of_any_name(own, tmp_path, capsys):
    images = tmp_path / "it's a dir ünï"
    shutil.copytree(own / "images", images)
    (images / "0.png").rename(images / "caf\udce9.png")
    words = ["mine", "--model", f"{own}/net.py:build", "--layers", "3", "--size", "96", "--k", "3"]
    words += ["--out", str(tmp_path / "out\udce9")]
    assert main([*words, "--images", str(images)]) == 0
    record = json.loads((tmp_path / "out\udce9/provenance.json").read_text())
    assert record["options"]["images"] == str(images)
    assert record["options"]["out"] == str(tmp_path / "out\udce9")
    images = images.rename(tmp_path / "caf\udce9")
    assert main([*words, "--images", str(images)]) == 2
    assert "--images: path: input should be a valid string" in capsys.readouterr().err
