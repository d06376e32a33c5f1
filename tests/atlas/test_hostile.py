"""Packs that somebody sent: names and links in them lead nowhere outside of their folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from milan_core.atlas.chunks import read_chunk, write_chunk
from milan_core.atlas.sheets import Sheets
from milan_core.cli import main
from milan_core.core.errors import UserError

UNIT = {"index-0": {"layer": [0], "unit": [0], "text": ["dog"]}, "words-0": ["dog"], "more-0": [{}]}


def sent(folder: Path, pictures: str = "probe") -> tuple[Path, dict[str, Any]]:
    """A pack of one unit; returns its folder and its chunk `run`."""
    net = {"name": "net", "slug": "net", "units": 1, "judges": [], "describers": []}
    run = {
        "networks": [{**net, "layers": [{"name": "conv"}], "pictures": pictures}],
        "sizes": {"index": 10, "block": 10},
        "pictures": [{"folder": pictures, "across": 1, "width": 8, "height": 8}],
    }
    for name, value in UNIT.items():
        write_chunk(folder, f"net/{name}", value)
    write_chunk(folder, "run", run)
    return folder, run


def take_over(pack: Path, tmp_path: Path) -> int:
    """Import a table into the pack; the exit code."""
    (tmp_path / "t.csv").write_text("layer,unit,text\nconv,0,cat\n")
    words = [str(pack), str(tmp_path / "t.csv"), "--name", "t", "-o", str(tmp_path / "out")]
    return main(["atlas", "import", *words])


@pytest.mark.parametrize("place", ["notes.txt", "data/net/old.js", "pictures"])
def test_no_file_of_the_users_is_copied_through_a_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    pack, _ = sent(tmp_path / "sent")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/secret").write_text("a key")
    (pack / place).symlink_to(tmp_path / "home" / ("" if place == "pictures" else "secret"))
    assert take_over(pack, tmp_path) == 2
    assert f"a link in an atlas, {place!r} leaves its folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_links_inside_of_a_pack_are_followed(tmp_path: Path) -> None:
    pack, _ = sent(tmp_path / "sent")
    (pack / "again").symlink_to("data")
    (tmp_path / "link").symlink_to(pack)
    assert take_over(tmp_path / "link", tmp_path) == 0
    assert read_chunk(tmp_path / "out", "net/more-0")[0]["said"]["t"] == ["cat"]


@pytest.mark.parametrize("key", ["../../mine/data/net/index-0", "net/../../../x", "/abs/x"])
def test_no_chunk_lies_outside(tmp_path: Path, key: str) -> None:
    pack, _ = sent(tmp_path / "sent")
    for ask in (lambda: read_chunk(pack, key), lambda: write_chunk(pack, key, {})):
        with pytest.raises(UserError, match="leaves its folder"):
            ask()


@pytest.mark.parametrize("absolute", [True, False])
def test_no_picture_lies_outside(tmp_path: Path, absolute: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "WEBP")
    (home / "0.webp").write_bytes(picture.getvalue())
    name = str(home) if absolute else "link"
    pack, run = sent(tmp_path / "sent", pictures=name)
    (pack / "pictures").mkdir()
    (pack / "pictures/link").symlink_to(home)
    write_chunk(pack, f"images/{name}/ids", [0])
    with pytest.raises(UserError, match="leaves its folder"):
        Sheets(pack, run).of("net", [0])
