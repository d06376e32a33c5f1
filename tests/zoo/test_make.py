"""`milan zoo make`: files that others can use, and that say the truth."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from milan_core.cli import main
from milan_core.core.files import read_csv
from milan_core.world.zoo.expressions import parse_expression
from milan_core.world.zoo.facts import Facts, Scene, Thing

pytest.importorskip("torch")

ALONE = """
import csv, json, sys
import numpy as np, torch
from PIL import Image
from network import zoo_network
network, seen = zoo_network(), {}
for layer in ("colors", "concepts", "logic"):
    getattr(network, layer).register_forward_hook(
        lambda _, __, maps, layer=layer: seen.update({layer: maps.amax((2, 3))})
    )
rows = list(csv.DictReader(open("activations.csv")))
wrong = 0
for row in rows:
    pixels = np.asarray(Image.open(row["image"]), np.float32) / 255
    network(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    for name, value in row.items():
        if name != "image":
            layer, unit = name.split("/")
            wrong += float(seen[layer][0, int(unit)]) != float(value)
print(json.dumps([len(rows), wrong, "milan_core" in sys.modules]))
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "zoo"
    assert main(["zoo", "make", str(out), "--images", "40", "--pairs", "8"]) == 0
    return out


def test_the_network_alone_gives_the_written_activations(zoo):
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=zoo, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [40 + 2 * 8, 0, False]


def test_tables_say_the_same(zoo):
    """Activations follow from scenes.csv, facts.csv and the expressions of truth.csv."""
    things = {}
    for row in read_csv(zoo / "facts.csv"):
        numbers = (int(row[name]) for name in ("column", "row", "x", "y"))
        thing = Thing(row["shape"], row["color"], row["size"], *numbers)
        things.setdefault(row["image"], []).append(thing)
    rows = read_csv(zoo / "scenes.csv")
    scenes = [
        Scene(
            tuple(things.get(row["image"], [])),
            *(row["tone"], row["surface"]),
            mark=row["mark"] == "1",
            number=0,
            seed=0,
        )
        for row in rows
    ]
    assert [len(scene.things) for scene in scenes] == [int(row["things"]) for row in rows]
    activations = read_csv(zoo / "activations.csv")
    assert [row["image"] for row in activations] == [row["image"] for row in rows]
    for unit in read_csv(zoo / "truth.csv"):
        expected = parse_expression(unit["expression"]).value(Facts(scenes))
        written = [float(row[f"{unit['layer']}/{unit['unit']}"]) for row in activations]
        np.testing.assert_array_equal(written, expected)
        assert {"0": not any(written), "+-": True, "+": min(written) >= 0}[unit["sign"]]


def test_annotations_are_references_for_the_truth(zoo, tmp_path, capsys):
    texts = {}
    for row in read_csv(zoo / "annotations.csv"):
        texts.setdefault((row["layer"], row["unit"]), []).append(row["summary"])
    truth = read_csv(zoo / "truth.csv")
    said = [row for row in truth if row["description"]]
    assert len(texts) == len(said) == len(truth) - 2
    for row in said:
        paraphrases = row["paraphrases"].split(";") if row["paraphrases"] else []
        assert texts[row["layer"], row["unit"]] == [row["description"], *paraphrases]
    truth_file, references = str(zoo / "truth.csv"), str(zoo / "annotations.csv")
    assert main(["score", "--descriptions", truth_file, "--references", references]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("descrip"))
    assert row.split()[1] == "100.000", "BLEU of the truth"


def test_pairs_name_their_pictures(zoo):
    rows = read_csv(zoo / "pairs.csv")
    assert [row["attribute"] for row in rows] == [
        *("shape", "color", "size", "place", "presence", "tone", "surface", "mark")
    ]
    for row in rows:
        first, second = (np.asarray(Image.open(zoo / row[name])) for name in ("first", "second"))
        assert (first != second).any(), row


def test_the_same_bytes_twice(zoo, tmp_path):
    assert main(["zoo", "make", str(tmp_path / "b"), "--images", "40", "--pairs", "8"]) == 0
    files = sorted(path.relative_to(zoo) for path in zoo.rglob("*") if path.suffix != ".pyc")
    assert len([name for name in files if name.suffix == ".png"]) == 40 * 5 + 16
    for name in files:
        if (zoo / name).is_file():
            assert (zoo / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_describer_reads_it(zoo, tmp_path):
    described = [
        *("describe", "--model", f"@{zoo}/zoo.yaml", "--images", zoo / "images"),
        *("--geometry", "keep", "--describer", "netdissect"),
        *("--concepts", zoo / "concepts", "--out", tmp_path / "said"),
    ]
    assert main(list(map(str, described))) == 0
    said = {
        (row["layer"], row["unit"]): row["description"]
        for row in read_csv(tmp_path / "said/descriptions.csv")
    }
    colors = [said["colors", str(unit)] for unit in range(6)]
    assert colors == ["red", "yellow", "green", "blue", "purple", "black"]
    assert said["concepts", "0"] == "circle"


def test_other_pixels_are_told_how_to_come(zoo, tmp_path, capsys):
    described = [
        *("describe", "--model", f"{zoo}/network.py:zoo_network", "--images", zoo / "images"),
        *("--layers", "colors", "--describer", "netdissect", "--concepts", zoo / "concepts"),
        *("--out", tmp_path / "said"),
    ]
    assert main(list(map(str, described))) == 2
    assert "--geometry keep" in capsys.readouterr().err


def test_no_images_are_refused(tmp_path, capsys):
    assert main(["zoo", "make", str(tmp_path / "z"), "--images", "0"]) == 2
    assert "at least one image" in capsys.readouterr().err
