"""Missing folders and wrong tables are found before torch is imported, which takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from milan_core.cli.early import check_column, check_images
from milan_core.core.errors import UserError

NETWORK = "--model torchvision:resnet18 --layers layer4 --out o --images"
SCORED = "score --model torchvision:resnet18 --layers layer4 --descriptions"
MISTAKES = {
    f"describe {NETWORK} nowhere": "image folder not found: nowhere",
    f"describe {NETWORK} empty": "no images in empty",
    f"describe {NETWORK} pictures --weights w.pt": "weights not found: w.pt",
    "describe --model torchvision:resnet18 --layers layer4 --out o": "--images: give the folder",
    "describe --model torchvision:resnet18 --images pictures --out o": "--layers: name the layers",
    "describe --set none.zip --captioner c --out o": "annotation set not found: none.zip",
    "describe --features none --captioner c --out o": "--features none: not found; give the feat",
    "describe --features empty --captioner c --out o": "--features empty: it is a folder",
    f"mine {NETWORK} nowhere": "image folder not found: nowhere",
    f"mine {NETWORK} empty": "no images in empty",
    "mine --model torchvision:resnet18": "milan mine needs --images and --out",
    "mine --model @none.yaml --images pictures --out o": "none.yaml",
    f"{SCORED} right.csv --images nowhere": "image folder not found: nowhere",
    f"{SCORED} right.csv --images empty": "no images in empty",
    f"{SCORED} other.csv --images pictures": "other.csv: no column `description`; its columns: "
    "layer, unit, text_of_mine; name yours with --column",
    f"{SCORED} letters.csv --images pictures": "letters.csv, line 2: unit must be a number",
    f"{SCORED} none.csv --images pictures": "table not found: none.csv",
    "score --table no.safetensors --images pictures --descriptions right.csv": "not found: no.safe",
    "score --references right.csv --descriptions other.csv": "name yours with --column",
}
RUN = """
import contextlib, io, json, sys
from milan_core.cli import main
found = []
for words in json.load(sys.stdin):
    with contextlib.redirect_stderr(io.StringIO()) as told:
        code = main(words.split())
    found.append([code, told.getvalue(), "torch" in sys.modules])
print(json.dumps(found))
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(b"not looked at")
    (tmp_path / "right.csv").write_text("layer,unit,description\nlayer4,0,a dog\n")
    (tmp_path / "other.csv").write_text("layer,unit,text_of_mine\nlayer4,0,a dog\n")
    (tmp_path / "letters.csv").write_text("layer,unit,description\nlayer4,one,a dog\n")
    return tmp_path


def test_mistakes_are_found_without_torch(place):
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(list(MISTAKES)),
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
    )
    for (words, expected), (code, told, torch) in zip(
        MISTAKES.items(), json.loads(done.stdout), strict=True
    ):
        assert (code, torch) == (2, False), words
        assert expected in told, words
        assert told.count("\n") == 1, words
    assert not (place / "o").exists()


def test_what_is_right_is_let_through(place):
    check_images(place / "pictures")
    check_column(place / "other.csv", "text_of_mine")
    (place / "empty/manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json"):
        check_images(place / "empty", stored=True)
