"""A command that fails half way leaves no folder, and what was there before as it was."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from milan_core.cli import build_parser, main
from milan_core.cli.parsers import commands
from milan_core.core import files
from milan_core.core.files import write_csv
from tests.atlas.made import MadeRun

NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
"""
QUALIFICATION = """
title: t
description: d
questions: [{text: q, answers: [{text: a, correct: true}]}]
"""
NETWORK_FLAGS = "--model net.py:build --images pictures --layers 1 --size 32 --k 3"
FOLDERS = {  # commands that write a folder, with arguments that do
    ("init",): "OUT",
    ("zoo", "make"): "OUT --images 4 --pairs 1",
    ("mine",): f"{NETWORK_FLAGS} --out OUT",
    ("mine", "export"): "--exemplars mined/exemplars.safetensors --dataset mined/dataset --out OUT",
    ("mine", "import"): "old --out OUT",
    ("describe",): NETWORK_FLAGS + """ --describer constant --options {"text":"dog"} --out OUT""",
    ("audit",): "said.csv --words dog --out OUT",
    ("figures",): "run --out OUT",
    ("crowd", "qualification"): "--test test.yaml --out OUT",
    ("atlas", "build"): "results -o OUT",
    ("atlas", "pack"): "results -o OUT",
    ("atlas", "import"): "atlas said.csv --name theirs --network net_a -o OUT",
    ("annotations", "export"): "--exemplars mined/exemplars.safetensors --dataset mined/dataset"
    " --texts texts.csv --key net/pictures --images leave-out --out OUT",
}
WORKERS = {  # commands whose work needs large inputs: it is replaced by one that fails half way
    ("score",): (
        "milan_core.cli.score_images._scores",
        "--descriptions said.csv --table said.csv --images pictures --out OUT",
    ),
    ("labels",): (
        "milan_core.cli.labels._write",
        "--table said.csv --images pictures --descriptions said.csv --out OUT",
    ),
    ("captioner", "convert"): (
        "milan_core.captioner.convert.convert_release",
        "--release said.csv --out OUT",
    ),
}
ONE_FILE = {  # commands that write one file, or a file with its record
    ("endpoint", "verdicts"),
    ("networks", "dictionary"),
    ("seeds",),
    ("config", "schema"),
    ("crowd", "clean"),
    ("crowd", "hits"),
}
RESUMED = {("fetch",), ("annotations", "pictures")}  # keep what is whole, and go on from there


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A small network, pictures, descriptions, exemplars, an atlas."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "net.py").write_text(NETWORK)
    (folder / "test.yaml").write_text(QUALIFICATION)
    for name, layer in {"said.csv": "conv.0", "texts.csv": "1"}.items():
        write_csv(folder / name, ("layer", "unit", "description"), [(layer, 0, "a dog")])
    (folder / "pictures").mkdir()
    for name in ("edit", "audit"):
        (folder / "run" / name).mkdir(parents=True)
        (folder / "run" / name / "curves.svg").write_text("<svg/>")
    rng = np.random.default_rng(0)
    for number in range(8):
        pixels = rng.integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"pictures/{number}.png")
    MadeRun(folder, networks=("net_a",), units=4, images=20)
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["mine", *NETWORK_FLAGS.split(), "--out", "mined"]) == 0
        mined = ["--exemplars", "mined/exemplars.safetensors", "--dataset", "mined/dataset"]
        assert main(["mine", "export", *mined, "--size", "32", "--out", "old"]) == 0
        assert main(["atlas", "build", "results", "-o", "atlas"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def there(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    return inputs


def everything(folder):
    """The files below a folder with their bytes, and the folders; locks of runs are no results."""
    return {
        path: path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if not path.name.endswith(".lock")
    }


def words(command, text, out):
    return [*command, *(str(out) if word == "OUT" else word for word in text.split())]


def full_at(monkeypatch, number):
    """The disk is full when the file of this number, from 1, is flushed; returns what was."""
    flushed, flush = [], files.flush

    def failing(path):
        flushed.append(path)
        if len(flushed) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        flush(path)

    monkeypatch.setattr(files, "flush", failing)
    return flushed


@pytest.mark.parametrize("command", sorted(FOLDERS), ids=" ".join)
def test_a_full_disk_leaves_no_half_folder(there, tmp_path, monkeypatch, capsys, command):
    out = tmp_path / "here" / "out"
    out.parent.mkdir()
    asked = words(command, FOLDERS[command], out)
    with monkeypatch.context() as patch:
        flushed = full_at(patch, 2)
        assert main(asked) == 2, capsys.readouterr()
    assert len(flushed) >= 2, "it failed when the second file was written"
    assert "the disk is full" in capsys.readouterr().err
    assert not everything(out.parent)
    assert main(asked) == 0, "the same command works when there is room"
    assert [path for path in everything(out) if path.is_file()]


@pytest.mark.parametrize("command", sorted(WORKERS), ids=" ".join)
def test_work_that_fails_leaves_no_half_folder(there, tmp_path, monkeypatch, command):
    worker, text = WORKERS[command]
    reached = []

    def half(*given):
        for one in given:
            if isinstance(one, Path) and one.is_dir():
                (one / "half").write_text("half")
                reached.append(one)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "half")

    class Scores:
        save = staticmethod(half)

    monkeypatch.setattr(worker, (lambda *_: Scores()) if command == ("score",) else half)
    out = tmp_path / "here" / "out"
    out.parent.mkdir()
    assert main(words(command, text, out)) == 2
    assert reached
    assert not everything(out.parent)


def test_init_leaves_what_was_there(tmp_path, monkeypatch):
    mine = tmp_path / "study/config/mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = everything(tmp_path)
    full_at(monkeypatch, 5)
    assert main(["init", str(tmp_path / "study")]) == 2
    assert everything(tmp_path) == before


def test_every_command_with_a_place_to_write_is_known():
    writing = {
        path
        for path, parser in commands(build_parser())
        if path and any(action.dest == "out" for action in parser._actions)
    }
    assert writing == {*FOLDERS, *WORKERS, *ONE_FILE, *RESUMED}
