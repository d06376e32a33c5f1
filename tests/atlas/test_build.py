"""The folder of an atlas: what stands in its chunks, the same bytes, messages for mistakes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milan_core.atlas.build import AtlasFiles, build_atlas
from milan_core.atlas.chunks import script
from milan_core.atlas.files import NetworkFiles
from milan_core.atlas.found import find_networks, find_sections
from milan_core.atlas.page import joined_scripts
from milan_core.cli import main
from milan_core.core.files import read_csv, write_csv
from tests.atlas.made import HOSTILE, MadeRun


def chunk(atlas: Path, key: str) -> Any:
    """The value that a chunk gives to the page."""
    text = (atlas / "data" / f"{key}.js").read_text(encoding="utf-8")
    start = f"milan.add({json.dumps(key)},"
    assert text.startswith(start)
    assert text.endswith(");\n")
    return json.loads(text[len(start) : -3])


def test_every_unit_has_its_text_and_score(made: MadeRun, atlas: Path) -> None:
    index = chunk(atlas, "net_a/index-0")
    rows = read_csv(made.results / "net_a/descriptions.csv")
    assert index["unit"] == [int(row["unit"]) for row in rows]
    assert index["text"][: len(HOSTILE)] == list(HOSTILE)
    scores = read_csv(made.results / "net_a/referee/oracle/scores.csv")
    pool = [float(row["correlation"]) for row in scores if row["describer"] == "pool"]
    assert index["corr"] == pytest.approx(pool, abs=1e-5)
    assert index["says"].count(0) == sum(row["status"] in ("unreliable", "dead") for row in rows)


def test_every_describer_stands_beside_with_its_judges(atlas: Path) -> None:
    run = chunk(atlas, "run")
    (net,) = [one for one in run["networks"] if one["name"] == "net_a"]
    assert net["judges"] == ["oracle", "mini"]
    assert net["main"] == "pool"
    kinds = {one["id"]: one["kind"] for one in net["describers"]}
    assert kinds == {
        "pool": "describer",
        "milan": "describer",
        "netdissect": "describer",
        "truth": "truth",
        "constant": "baseline",
    }
    said = chunk(atlas, "net_a/more-0")[3]["said"]
    assert said["pool"][2] == ["own judge", None]
    assert len(said["milan"][1][1]) == 6


def test_networks_that_belong_to_the_encoder_say_so(made: MadeRun, tmp_path: Path) -> None:
    first, second = find_networks(made.results)
    given = [replace(first, is_encoder=True), replace(second, is_student=True)]
    build_atlas(AtlasFiles(given), tmp_path / "atlas")
    one, other = chunk(tmp_path / "atlas", "run")["networks"]
    assert (one["encoder"], one["student"]) == (True, False)
    assert (other["encoder"], other["student"]) == (False, True)
    page = joined_scripts()
    for words in ("is also the encoder of the captioner", "learned the features of the captioner"):
        assert words in page


def test_scores_of_a_table_alone_are_shown(made: MadeRun, tmp_path: Path) -> None:
    """`milan describe` writes held-out correlations beside its texts, and the captioner's own."""
    rows = [(*key, "a dog", "a cat", "+1 dog", 0.5, 0.4, 0.6) for key in made.every_unit()]
    header = ["layer", "unit", "description", "description_milan", "linear"]
    write_csv(tmp_path / "d.csv", [*header, "correlation", "low", "high"], rows)
    net = find_networks(made.results)[0]
    files = NetworkFiles("own", "probe", net.exemplars, net.dataset, tmp_path / "d.csv")
    build_atlas(AtlasFiles([files]), tmp_path / "atlas")
    assert chunk(tmp_path / "atlas", "run")["networks"][0]["judges"] == ["its own judge"]
    assert chunk(tmp_path / "atlas", "own/index-0")["corr"][0] == 0.5
    details = chunk(tmp_path / "atlas", "own/more-0")[0]
    assert details["said"]["milan"][0] == "a cat"
    assert details["linear"] == "+1 dog"


def test_nothing_of_the_data_can_end_a_script(atlas: Path) -> None:
    for path in atlas.rglob("*.js"):
        if path.name != "atlas.js":
            text = path.read_text(encoding="utf-8")
            assert "<" not in text
            assert "\u2028" not in text
    assert script("a", {"t": "\ud800 <"}).isascii()


def test_exemplars_point_at_their_pictures(made: MadeRun, atlas: Path) -> None:
    shown = chunk(atlas, "net_a/shown-0")[0]
    numbers = chunk(atlas, "images/probe/ids")
    assert [numbers[place] for place in shown["i"]] == shown["n"]
    fires = chunk(atlas, "images/probe/0")["fires"]
    assert [0, 0, 0] in [
        fires[shown["i"][0]][at : at + 3] for at in range(0, len(fires[shown["i"][0]]), 3)
    ]
    sheets = list((atlas / "pictures/probe").glob("*.webp"))
    assert len(sheets) == -(-len(numbers) // 16)


def test_the_same_files_give_the_same_bytes(made: MadeRun, atlas: Path, tmp_path: Path) -> None:
    files = AtlasFiles(find_networks(made.results), find_sections(made.results))
    build_atlas(files, tmp_path / "again")
    names = {path.relative_to(atlas) for path in atlas.rglob("*") if path.is_file()}
    names.discard(Path("provenance.json"))
    assert names == {
        path.relative_to(tmp_path / "again")
        for path in (tmp_path / "again").rglob("*")
        if path.is_file()
    }
    for name in names:
        assert (atlas / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_table_alone_is_enough(made: MadeRun, tmp_path: Path) -> None:
    """Descriptions and exemplars without scores, candidates, truth or a table of activations."""
    folder = tmp_path / "mine"
    (folder / "exemplars").mkdir(parents=True)
    source = made.results / "net_a"
    shutil.copy(source / "exemplars/exemplars.safetensors", folder / "exemplars")
    rows = [(*key, "a thing") for key in made.every_unit()]
    write_csv(folder / "descriptions.csv", ["layer", "unit", "description"], rows)
    out = tmp_path / "atlas"
    images = str(made.datasets / "probe")
    assert main(["atlas", "build", str(folder), "-o", str(out), "--images", images]) == 0
    net = chunk(out, "run")["networks"][0]
    assert net["judges"] == []
    assert [one["id"] for one in net["describers"]] == ["description"]
    assert chunk(out, "mine/more-0")[0]["said"] == {"description": ["a thing"]}


def test_a_folder_without_a_network_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["atlas", "build", str(tmp_path), "-o", str(tmp_path / "atlas")]) == 2
    assert "holds no mined and described network" in capsys.readouterr().err
    assert not (tmp_path / "atlas").exists()


def test_images_that_are_not_found_are_said(
    made: MadeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made.results / "net_a", tmp_path / "far/net_a")
    assert main(["atlas", "build", str(tmp_path / "far"), "-o", str(tmp_path / "atlas")]) == 2
    assert "give its folder by --images" in capsys.readouterr().err


def test_descriptions_of_other_units_are_said(
    made: MadeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made.root, tmp_path / "run", ignore=shutil.ignore_patterns("atlas"))
    table = tmp_path / "run/results/net_b/descriptions.csv"
    write_csv(table, ["layer", "unit", "description"], [("conv.0", 99, "thing")])
    out = str(tmp_path / "atlas")
    assert main(["atlas", "build", str(tmp_path / "run/results"), "-o", out]) == 2
    assert "come from different runs" in capsys.readouterr().err


def test_an_atlas_is_no_run(
    atlas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("build", "pack"):
        assert main(["atlas", command, str(atlas), "-o", str(tmp_path / "out")]) == 2
        assert "is an atlas already" in capsys.readouterr().err
