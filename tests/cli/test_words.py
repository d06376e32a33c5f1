"""`milan describe --describer words`: mined exemplars, one pass, a page that shows the grades."""

import csv
import json

import numpy as np
import pytest
import torch
from paths import TESTS
from PIL import Image
from released import write_container

from milan_core.atlas.chunks import read_chunk
from milan_core.captioner.domain import DomainCheck
from milan_core.captioner.features.published import encoder_spec
from milan_core.cli import choosing, main
from milan_core.describers import words
from milan_core.networks.zoo import build
from milan_core.referee.photographs.attributes import SIZE, attribute_columns
from milan_core.referee.photographs.evidence import Evidence
from milan_core.referee.photographs.vocabulary import vocabulary

GOLDEN = TESTS / "data/golden/decoder/decoder.pth"
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
    monkeypatch.chdir(tmp_path)  # no captioner of a run lies here
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


def ask(own, out, *more):
    words = [
        *("describe", "--model", f"{own}/net.py:build", "--images", own / "images"),
        *("--layers", "1", "--size", 32, "--out", out, *more),
    ]
    return main(list(map(str, words)))


def test_words_come_with_exemplars_and_a_page(own, capsys):
    out = own / "out"
    assert ask(own, out, "--describer", "words") == 0
    assert "atlas/index.html" in capsys.readouterr().out
    assert (out / "exemplars.safetensors").is_file()
    with (out / "descriptions.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert (rows[0]["description"], rows[0]["grade"]) == ("red areas", "A")
    weak = [row for row in rows if row["grade"] == "B"]
    assert weak
    assert all(row["description"] == "" for row in weak)
    assert (rows[7]["description"], rows[7]["grade"], rows[7]["status"]) == ("", "", "dead")
    shown = read_chunk(out / "atlas", "net/more-0")
    assert (shown[0]["grade"][0], shown[0]["shown"]) == ("A", "red areas")
    assert weak[0]["tendency"] in [one["grade"][1] for one in shown if "grade" in one]
    assert "no reliable description" in [one["shown"] for one in shown]
    assert shown[7]["shown"] == "never active: 0 on every image"
    (net,) = read_chunk(out / "atlas", "run")["networks"]
    described = sum(row["grade"] == "A" for row in rows)
    assert f"{described} of 8 units" in net["sentence"]
    assert "More images describe more units" in net["sentence"]


def test_auto_takes_words_where_there_is_no_captioner_and_says_why(own, caplog):
    assert ask(own, own / "out") == 0
    why = "words from packages; no captioner is here"
    assert f"auto takes describer words: {why}" in caplog.text
    record = json.loads((own / "out/provenance.json").read_text())
    assert record["choice"]["describer"] == record["describer"]["describer"] == "words"
    assert record["choice"]["why"].startswith(why)
    assert f"chosen by auto: {why}" in read_chunk(own / "out/atlas", "run")["notice"]


def test_auto_says_what_is_lacking(own, capsys):
    for path in sorted((own / "images").iterdir())[20:]:
        path.unlink()
    assert ask(own, own / "out") == 2
    message = capsys.readouterr().err
    assert "no captioner is here" in message
    assert "got 20, expected 100 or more" in message
    assert not (own / "out").exists()
    assert ask(own, own / "out", "--options", '{"rate": 0.1}') == 2
    assert "name it with --describer" in capsys.readouterr().err


@pytest.fixture
def checked(own, monkeypatch):
    """A published captioner whose domain the test sets."""
    torch.manual_seed(0)
    write_container(GOLDEN, build(encoder_spec("resnet18")), own / "milan-mini.pth")

    def set_to(*shares):
        check = DomainCheck(*shares)
        monkeypatch.setattr(choosing, "domain_of", lambda captioner: "some")
        monkeypatch.setattr(choosing, "check_domain", lambda *found: check)
        return ["--captioner", own / "milan-mini.pth", "--k", 3]

    return set_to


def table(out):
    with (out / "descriptions.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_captioner_outside_its_domain_needs_force(own, checked, capsys, caplog):
    outside = checked(1.0, 0.98, 120)
    assert ask(own, own / "a", *outside, "--describer", "milan") == 2
    message = capsys.readouterr().err
    assert "unlike those that the captioner learned from (1.00 of 120 outside" in message
    assert "--force" in message
    assert ask(own, own / "b", *outside) == 0
    assert "auto takes describer words" in caplog.text
    assert {row["description"] for row in table(own / "b")} & {"red areas", "blue areas"}
    assert ask(own, own / "c", *outside, "--force") == 0
    rows = table(own / "c")
    assert all("unlike" in row["domain"] for row in rows)
    assert json.loads((own / "c/provenance.json").read_text())["domain"]["verdict"] == "outside"


def test_one_partly_outside_is_warned_of_in_table_page_and_log(own, checked, caplog):
    partly = checked(0.4, 0.1, 120)
    assert ask(own, own / "a", *partly, "--describer", "milan") == 0
    said = "part of the images are unlike those that the captioner learned from"
    assert said in caplog.text
    assert all(said in row["domain"] for row in table(own / "a"))
    assert said in read_chunk(own / "a/atlas", "run")["notice"]
    inside = checked(0.1, 0.0, 120)
    assert ask(own, own / "b", *inside) == 0
    assert "domain" not in table(own / "b")[0]
