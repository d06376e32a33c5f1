"""Packs: a catalogue, a card, a record of every file; texts of others as one more describer."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from paths import ROOT

from milan_core.atlas.catalogue import schema
from milan_core.cli import main
from milan_core.core.files import read_csv, write_csv
from tests.atlas.browser import Browser
from tests.atlas.made import HOSTILE, MadeRun
from tests.atlas.test_build import chunk


@pytest.fixture(scope="module")
def pack(made: MadeRun) -> Path:
    """A pack, moved after it was made."""
    out = made.root / "pack"
    assert main(["atlas", "pack", str(made.results), "-o", str(out), "--sheets"]) == 0
    moved = made.root / "elsewhere" / "pack"
    moved.parent.mkdir()
    return Path(shutil.move(out, moved))


def test_the_published_schema_is_that_of_packs(tmp_path: Path) -> None:
    published = ROOT / "docs/schemas/units.schema.json"
    assert json.loads(published.read_text()) == schema()


def test_catalogue_has_every_unit(made: MadeRun, pack: Path) -> None:
    rows = read_csv(pack / "units.csv")
    assert len(rows) == 80
    assert [row["description"] for row in rows[: len(HOSTILE)]] == list(HOSTILE)
    assert rows[0]["said_netdissect"] == "netdissect text"
    assert len(rows[0]["images"].split()) == 15
    items = json.loads((pack / "units.json").read_text(encoding="utf-8"))
    schema = json.loads((pack / "units.schema.json").read_text(encoding="utf-8"))
    assert set(items[0]) == set(schema["items"]["properties"])
    neighbor = items[9]["neighbors"][0]
    assert neighbor.split(":")[0].startswith("conv.")


def test_card_names_what_it_holds(pack: Path) -> None:
    card = (pack / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: other\n")
    assert "80 units of net_a, net_b" in card


def test_contact_sheets_show_the_strongest_images(pack: Path) -> None:
    from PIL import Image

    sheets = sorted((pack / "sheets/net_a").glob("*.webp"))
    assert len(sheets) == 40
    with Image.open(sheets[0]) as picture:
        assert picture.width > picture.height


def test_verify_names_an_altered_byte(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(pack)]) == 0
    assert main(["atlas", "open", str(pack), "--print"]) == 0
    assert "80 units of 2 networks: file:" in capsys.readouterr().out
    shutil.copytree(pack, tmp_path / "pack")
    victim = tmp_path / "pack/pictures/probe/2.webp"
    data = bytearray(victim.read_bytes())
    data[100] ^= 1
    victim.write_bytes(data)
    assert main(["verify", str(tmp_path / "pack")]) == 1
    assert "pictures/probe/2.webp differs from what atlas pack wrote" in capsys.readouterr().out
    assert main(["atlas", "open", str(tmp_path / "pack"), "--print"]) == 2
    assert "pictures/probe/2.webp is damaged" in capsys.readouterr().err


def test_a_table_of_others_becomes_a_describer(
    pack: Path, tmp_path: Path, browser: Browser
) -> None:
    table = tmp_path / "theirs.csv"
    rows = [("net_a", "conv.0", 9, "<i>unheardof</i> zebra"), ("net_b", "conv.1", 2, "lion")]
    write_csv(table, ["network", "layer", "unit", "text"], rows)
    out = tmp_path / "atlas"
    words = ["atlas", "import", str(pack), str(table), "--name", "theirs", "-o", str(out)]
    assert main(words) == 0
    assert chunk(out, "net_a/more-0")[9]["said"]["theirs"] == [
        "<i>unheardof</i> zebra",
        ["", None],
        ["", None],
    ]
    assert main(["verify", str(out)]) == 0
    page = browser.open(out / "index.html", "#/net_a/conv.0/9")
    assert "<i>unheardof</i> zebra" in page.text(".said")
    page.to("#/net_a?q=zebra")
    page.wait("document.querySelector('#number').value === '1 unit'")
    assert page.mistakes == []
    page.close()


def test_a_pack_becomes_a_describer(pack: Path, atlas: Path, tmp_path: Path) -> None:
    out = tmp_path / "atlas"
    assert main(["atlas", "import", str(atlas), str(pack), "--name", "p", "-o", str(out)]) == 0
    assert chunk(out, "net_b/more-0")[0]["said"]["p"][0] == HOSTILE[0]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (["layer", "unit"], ["conv.0", 1], "no column of a text"),
        (["layer", "unit", "text"], ["conv.0", 1, "x"], "the table names no network"),
        (["network", "layer", "unit", "text"], ["net_c", "conv.0", 1, "x"], "'net_c'"),
        (["network", "layer", "unit", "text"], ["net_a", "conv.9", 1, "x"], "has no unit 1"),
    ],
)
def test_mistakes_in_tables_are_said(
    atlas: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    header: list[str],
    row: list[object],
    message: str,
) -> None:
    write_csv(tmp_path / "t.csv", header, [row])
    out = tmp_path / "out"
    words = ["atlas", "import", str(atlas), str(tmp_path / "t.csv"), "--name", "t", "-o", str(out)]
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_parquet_without_pyarrow_is_said(
    made: MadeRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # also where it is installed
    out = tmp_path / "pack"
    assert main(["atlas", "pack", str(made.results), "-o", str(out), "--parquet"]) == 2
    assert "pip install 'milan-workflow[parquet]'" in capsys.readouterr().err
    assert not out.exists()
