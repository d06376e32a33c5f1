"""`milan endpoint`: what a server can do, and verdicts on anyone's descriptions."""

import math

import numpy as np
import pytest
from datasets_made import build_dataset
from model_server import capable, completion, pictures, token

from milan_core.cli import main
from milan_core.core.files import read_csv, read_json
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables

IMAGES = 240


def reddish(request):
    share = float(pictures(request)[0][..., 0].mean() / 256)
    top = [("1", math.log(share)), ("0", math.log(1 - share))]
    return completion("1", [token("1", math.log(share), top)])


@pytest.fixture
def server(served_model):
    served_model.rule = reddish
    return served_model


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A data set, and a table of one unit that is red and one that is dead."""
    folder = tmp_path_factory.mktemp("endpoint")
    spec = {"kind": "shapes", "count": IMAGES}
    dataset = build_dataset("scenes", spec, {}, folder / "scenes", 5)
    red = np.asarray(dataset.images[:])[..., 0].mean((1, 2)).astype(np.float32)
    facts = TableFacts(
        model="m", model_hash="h", dataset=dataset.fingerprint, images=IMAGES, layers=(("a", 2),)
    )
    every = np.arange(IMAGES)
    values = np.stack([red, np.zeros(IMAGES, np.float32)])
    table = merge_tables([ActivationTable(facts, every, every % 2 == 0, {"max": values})])
    table.save(folder / "activations.safetensors")
    lines = ["a,0,red areas", "a,0,zebra crossing", "a,1,red areas", "a,7,red areas", "b,0,"]
    (folder / "theirs.csv").write_text("layer,unit,description\n" + "\n".join(lines) + "\n")
    return folder, folder / "scenes"


def verdicts(server, scored, out, *more):
    folder, images = scored
    return main(
        [
            *("endpoint", "verdicts", "--url", server.url, "--model", "tiny"),
            *("--cassette", str(out.parent / "answers.jsonl"), "--images", str(images)),
            *("--table", str(folder / "activations.safetensors"), "--draws", "60"),
            *("--descriptions", str(folder / "theirs.csv"), "--out", str(out), *more),
        ]
    )


def test_every_text_has_a_row_with_a_score_or_a_status(server, scored, tmp_path, capsys):
    assert verdicts(server, scored, tmp_path / "v.csv") == 0
    rows = read_csv(tmp_path / "v.csv")
    assert [row["status"] for row in rows] == [
        *("scored", "unread by the cheap judge", "dead", "unknown unit", "unknown unit")
    ]
    red = rows[0]
    assert float(red["low"]) <= float(red["correlation"]) <= float(red["high"])
    assert float(red["correlation"]) > 0.99
    assert 10 < int(red["asked"]) <= 60
    assert sum(server.bodies.values()) == int(red["asked"])
    told = capsys.readouterr().err
    assert "5 texts: 2 unknown unit, 1 scored" in told
    assert "held-out images" in told
    record = read_json(tmp_path / "v.provenance.json")
    assert record["options"]["model"] == "tiny"
    assert set(record["outputs"]) == {"v.csv"}
    first = (tmp_path / "v.csv").read_bytes()
    server.close()
    assert verdicts(server, scored, tmp_path / "v.csv", "--replay") == 0
    assert (tmp_path / "v.csv").read_bytes() == first


def test_the_cost_is_told_beforehand(server, scored, tmp_path, capsys):
    prices = ("--price-in", "1", "--price-out", "2", "--dry-run")
    assert verdicts(server, scored, tmp_path / "v.csv", *prices) == 0
    assert "4 texts x at most 60 images = 240 questions" in capsys.readouterr().err
    assert not server.bodies
    assert not (tmp_path / "v.csv").exists()


def test_mistakes_are_one_line(server, scored, tmp_path, capsys):
    assert verdicts(server, scored, tmp_path / "v.txt") == 2
    assert "expected a file that ends in .csv" in capsys.readouterr().err
    assert verdicts(server, scored, tmp_path / "v.csv", "--draws", "3") == 2
    assert "expected 10 or more" in capsys.readouterr().err
    assert main(["endpoint", "check", "--url", "ftp://x", "--model", "m"]) == 2
    assert "expected an address such as" in capsys.readouterr().err


def test_a_server_is_checked(server, capsys):
    server.rule = capable
    command = ["endpoint", "check", "--url", server.url, "--model", "m"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.count(" yes\n") == 3
    server.rule = lambda _: completion("red")
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "no: a green picture was answered with 'red'" in told
    server.close()
    assert main(command) == 2
    assert "answers no question" in capsys.readouterr().err
