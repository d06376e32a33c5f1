"""The verbs of `milan annotations` and `milan crowd`; annotations need no torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from milan_core.annotations.released import open_set
from milan_core.cli import main
from milan_core.core.options import Section
from milan_core.core.step import PACKAGE
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.writing import finish_folder, new_array

SIZE = 14


@pytest.fixture
def mined(tmp_path, monkeypatch):
    """exemplars.safetensors, a data set in data/, and descriptions.csv, in the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    layer = LayerExemplars(
        rng.integers(0, 4, (2, 3)),
        np.ones((2, 3), np.float32),
        np.full(2, 0.5, np.float32),
        np.ones(2, bool),
        maps=rng.random((2, 3, 7, 7)).astype(np.float32),
    )
    ExemplarSet({"fc": layer}, {"k": 3}).save(tmp_path / "exemplars.safetensors")
    with new_array(tmp_path / "data/images.npy", (4, SIZE, SIZE, 3), np.uint8) as pixels:
        pixels[:] = rng.integers(0, 256, pixels.shape)
    finish_folder(
        tmp_path / "data",
        name="photos",
        kind="folder",
        options=Section(),
        seed=0,
        classes=["a"],
        labels=np.zeros(4, np.int64),
        names=list("abcd"),
        credits=[],
    )
    text = "layer,unit,description\nfc,1,dogs\nfc,0,cats\n"
    (tmp_path / "descriptions.csv").write_text(text)
    return tmp_path


def export(key, out, *more):
    text = "annotations export --exemplars exemplars.safetensors --dataset data --size 14"
    return main([*text.split(), "--texts", "descriptions.csv", "--key", key, "--out", out, *more])


def test_export_inspect_pictures_hits(mined, capsys):
    assert export("mine/photos", "set.zip") == 0
    assert "2 texts, with images" in capsys.readouterr().out
    assert main(["annotations", "inspect", "--set", "set.zip", "--count", "1", "--pack"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "set: 2 units, 2 annotations (2 distinct, 1.0 words on average)",
        f"  fc: 2 of 2 units, 3 exemplars of {SIZE} px, images, packed masks",
    ]
    assert main(["annotations", "inspect", "--key", "set", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts[0]["layers"][0]["packed"] is True
    command = ["annotations", "pictures", "--set", "set", "--out", "shown"]
    assert main(command) == 0
    assert "6 new pictures" in capsys.readouterr().out
    assert main([*command[:-1], "grids", "--grid"]) == 0
    assert "2 new pictures" in capsys.readouterr().out
    with Image.open(mined / "grids/fc/unit_0.png") as shown:
        assert shown.size == (5 * SIZE, SIZE)
    assert main([*command, "--texts", "descriptions.csv", "--key", "mine/photos"]) == 0
    units = json.loads((mined / "shown/data.json").read_text())["units"]
    assert [unit["description"] for unit in units] == ["cats", "dogs"]
    command = ["crowd", "hits", "--set", "set", "--out", "hits.csv", "--check", "--base-url"]
    assert main([*command, (mined / "shown").as_uri()]) == 0
    assert (mined / "hits.csv").read_text().count("file://") == 6
    assert main([*command, (mined / "gone").as_uri()]) == 2
    assert "6 of 6 images cannot be opened" in capsys.readouterr().err
    assert not list(mined.glob(".*"))


def test_imagenet_is_exported_without_and_merged_back(mined, capsys):
    assert export("mine/imagenet", "bare") == 0
    assert "2 texts, without images" in capsys.readouterr().out
    assert export("mine/imagenet", "whole", "--images", "include", "--extras") == 0
    assert (mined / "whole/fc/activations.csv").is_file()
    for index in range(4):
        path = mined / f"val/n{index:08}/a.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.load("data/images.npy")[index]).save(path)
    command = ["annotations", "merge", "--set", "bare", "--images", ".", "--transform", "squash"]
    assert main(command) == 2
    assert "the ids count 50000" in capsys.readouterr().err
    assert main([*command, "--expect", "4"]) == 0
    assert "fc: images written" in capsys.readouterr().out
    for ours, theirs in zip(open_set("bare", None), open_set("whole", None), strict=True):
        assert np.array_equal(ours.images, theirs.images)


def test_clean(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    header = "Input.layer,Input.unit,Answer.summary,RejectionTime,WorkerId\n"
    (tmp_path / "raw.csv").write_text(header + "fc,0,These are dgos.,,A\nfc,1,x,now,A\n")
    (tmp_path / "words.txt").write_text("dogs 3\nthese 4\nare 5\n")
    (tmp_path / "workers.yaml").write_text("A: {dogs: puppies}\n")
    command = ["crowd", "clean", "--results", "raw.csv", "--out", "annotations.csv"]
    assert main([*command, "--words", "words.txt", "--workers", "workers.yaml"]) == 0
    assert (tmp_path / "annotations.csv").read_text() == "layer,unit,summary\nfc,0,puppies\n"
    assert "1 of 2 answers (1 rejected, 0 empty, 1 changed, 1 words" in capsys.readouterr().out
    (tmp_path / "raw.csv").write_text(header)
    assert main(command) == 2
    assert "none of 0 answers is left" in capsys.readouterr().err


def test_qualification(tmp_path, capsys):
    test = "title: t\ndescription: d\nquestions: [{text: q, answers: [{text: a, correct: true}]}]\n"
    (tmp_path / "test.yaml").write_text(test)
    command = ["crowd", "qualification", "--test", str(tmp_path / "test.yaml")]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/questions.xml").is_file()
    assert "mockup.html" in capsys.readouterr().out


def test_every_verb_shows_an_example(capsys):
    verbs = [("annotations", verb) for verb in ("inspect", "merge", "export", "pictures")]
    verbs += [("crowd", verb) for verb in ("clean", "hits", "qualification")]
    for command, verb in verbs:
        with pytest.raises(SystemExit) as ended:
            main([command, verb, "--help"])
        assert ended.value.code == 0
        assert f"example:\n  milan {command} {verb} " in capsys.readouterr().out


def test_annotations_need_no_torch():
    folder = PACKAGE / "annotations"
    names = ", ".join(f"milan_core.annotations.{path.stem}" for path in folder.glob("[a-z]*.py"))
    code = f"import sys, {names}; sys.exit('torch' in sys.modules or 'spacy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
