"""`milan describe` by pool and verify: chosen by auto, its ranking, intervals and status."""

import csv
import json

import numpy as np
import pytest
import torch
from datasets_made import build_dataset
from judges_made import small_encoder
from paths import TESTS
from PIL import Image
from released import write_container
from tiny_checkpoints import save_clip

import milan_core as milan
from milan_core.atlas.chunks import read_chunk
from milan_core.captioner.domain import DomainCheck
from milan_core.captioner.features.published import encoder_spec
from milan_core.cli import choosing, main
from milan_core.core.step import Compute
from milan_core.describers import notebook
from milan_core.networks.zoo import build
from milan_core.referee.options import MiniTraining
from milan_core.referee.step import TrainJudge
from tests.cli.test_words import NETWORK

GOLDEN = TESTS / "data/golden/decoder/decoder.pth"
OPTIONS = MiniTraining(scenes=150, width=16, steps=60, batch=64, rate=1e-2)
PICTURES = 620


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run's captioner and judge, a network of colors, and pictures of colors."""
    folder = tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    write_container(GOLDEN, build(encoder_spec("resnet18")), folder / "milan-mini.pth")
    out = folder / "results/captioners/all/seed0"
    assert (
        main(["captioner", "convert", "--release", f"{folder}/milan-mini.pth", "--out", str(out)])
        == 0
    )
    made = build_dataset("train", {"kind": "shapes", "count": 150}, {}, folder / "train", 1)
    judge = folder / "results/judge"
    TrainJudge(encoder=small_encoder(), dataset=made.folder, options=OPTIONS, judge=judge).run(
        Compute()
    )
    (folder / "net.py").write_text(NETWORK)
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for index in range(PICTURES):
        picture = np.full((32, 32, 3), rng.integers(0, 255, 3), np.uint8)
        Image.fromarray(picture).save(folder / f"images/{index:03}.png")
    return folder


@pytest.fixture
def own(folder, monkeypatch):
    """The folder as the current one; the images are within the captioner's domain."""
    monkeypatch.chdir(folder)
    for module in (choosing, notebook):
        monkeypatch.setattr(module, "domain_of", lambda captioner: "some")
        monkeypatch.setattr(module, "check_domain", lambda *found: DomainCheck(0.1, 0.0, PICTURES))
    return folder


def ask(own, out, *more):
    words = [
        *("describe", "--model", f"{own}/net.py:build", "--images", own / "images"),
        *("--layers", "1", "--size", 32, "--k", 3, "--beam-size", 4, "--out", out, *more),
    ]
    return main(list(map(str, words)))


def table(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_auto_takes_the_pool_where_a_run_trained_captioner_and_judge(own, tmp_path, caplog):
    out = tmp_path / "out"
    assert ask(own, out) == 0
    assert "auto takes describer pool: captioner results/captioners/all/seed0" in caplog.text
    assert "judge" in caplog.text
    rows, ranking = table(out / "descriptions.csv"), table(out / "ranking.csv")
    for row in rows[:7]:
        mine = [one for one in ranking if one["unit"] == row["unit"]]
        assert row["description"] == mine[0]["description"]
        assert row["score"] == mine[0]["score"]
        # Of the tiny captioner one beam is empty: MILAN says it, the pool takes no empty text.
        assert row["description_milan"] in {"", *(one["description"] for one in mine)}
        assert row["status"] in ("described", "several", "unreliable")
        assert 0 <= float(row["confidence"]) <= 1
        assert float(row["low"]) <= float(row["correlation"]) <= float(row["high"])
        assert row["linear"]
    assert (rows[7]["status"], rows[7]["description"]) == ("dead", "")
    assert not any(
        rows[7][name] for name in ("description_milan", "linear", "correlation", "likely")
    )
    assert not [one for one in ranking if one["unit"] == "7"]
    record = json.loads((out / "provenance.json").read_text())
    assert record["choice"]["describer"] == record["describer"]["describer"] == "pool"
    assert record["judge"].endswith("results/judge")
    assert any(name.endswith("judge/judge.json") for name in record["inputs"])
    run = read_chunk(out / "atlas", "run")
    assert "chosen by auto" in run["notice"]
    (net,) = run["networks"]
    assert {one["id"] for one in net["describers"]} == {"pool", "milan"}
    details = read_chunk(out / "atlas", "net/more-0")
    assert details[0]["linear"] == rows[0]["linear"].lstrip("'")


def test_masks_can_count_and_a_clip_does_not_see_them(own, tmp_path, capsys):
    options = ("--options", '{"masks": 2}', "--describer", "pool")
    assert ask(own, tmp_path / "plain") == ask(own, tmp_path / "out", *options) == 0
    plain, ranked = (table(tmp_path / name / "ranking.csv") for name in ("plain", "out"))
    parts = {(one["unit"], one["description"]): one for one in plain}
    more = [
        float(one["score"]) - float(parts[one["unit"], one["description"]]["score"])
        for one in ranked
    ]
    assert max(map(abs, more)) > 0.01
    save_clip(tmp_path / "clip")
    assert ask(own, tmp_path / "clipped", *options, "--judge", tmp_path / "clip") == 2
    assert "which sees whole images only" in capsys.readouterr().err


def test_milan_as_published_can_be_asked_for(own, tmp_path):
    assert ask(own, tmp_path / "out", "--describer", "milan") == 0
    rows = table(tmp_path / "out/descriptions.csv")
    assert "status" in rows[0]
    assert "confidence" not in rows[0]
    assert not (tmp_path / "out/ranking.csv").exists()


def test_the_linear_explanation_alone(own, tmp_path):
    judge = ("--judge", own / "results/judge", "--describer", "linear")
    words = [
        *("describe", "--model", f"{own}/net.py:build", "--images", own / "images"),
        *("--layers", "1", "--size", 32, "--k", 3, "--out", tmp_path / "out", *judge),
    ]
    assert main(list(map(str, words))) == 0
    assert {row["unit"] for row in table(tmp_path / "out/linear.csv")} == {*"0123456"}


def test_without_a_judge_auto_takes_milan_and_says_why(own, tmp_path, caplog):
    hidden = own / "results/away"
    (own / "results/judge").rename(hidden)
    try:
        assert ask(own, tmp_path / "out") == 0
    finally:
        hidden.rename(own / "results/judge")
    assert "auto takes describer milan" in caplog.text
    assert "no judge chooses: the captioner's run has none" in caplog.text


def test_a_clip_judges_alone_and_decides_nothing(own, tmp_path, caplog):
    """It was no part of the calibration; its linear words are those for photographs."""
    save_clip(tmp_path / "clip")
    assert ask(own, tmp_path / "out", "--judge", tmp_path / "clip") == 0
    assert f"judge {tmp_path}/clip" in caplog.text
    assert "no status and no confidence" in caplog.text
    rows = table(tmp_path / "out/descriptions.csv")
    assert "confidence" not in rows[0]
    assert all(float(row["low"]) <= float(row["high"]) for row in rows[:7])
    ranked = table(tmp_path / "out/ranking.csv")
    assert {float(one["fit_chooser"]) for one in ranked} == {0}


def test_a_judge_for_a_describer_that_reads_none_is_refused(own, tmp_path, capsys):
    more = ("--describer", "milan", "--judge", own / "results/judge")
    assert ask(own, tmp_path / "out", *more) == 2
    assert "describer 'milan' reads no judge" in capsys.readouterr().err


def test_the_same_from_python(own, tmp_path):
    """One call gives the rows of the command's table."""
    assert ask(own, tmp_path / "out") == 0
    names = {}
    exec(NETWORK, names)
    pixels = np.load(tmp_path / "out/dataset/images.npy")
    said = milan.describe(
        *(names["build"](), pixels, "1"),
        input=milan.InputSpec(size=32),
        captioner=own / "results/captioners/all/seed0",
        k=3,
    )
    assert said.describer == "pool"
    assert "judge" in said.why
    rows = said.rows
    assert set(rows[0]) == set(table(tmp_path / "out/descriptions.csv")[0])
    assert rows[7]["description"] == ""
    assert rows[7]["status"] == "dead"
    assert all(row["low"] <= row["correlation"] <= row["high"] for row in rows[:7])
    assert "ranking.csv" in said.save(tmp_path / "saved")
    assert len(table(tmp_path / "saved/descriptions.csv")) == 8
