"""`milan score --model` on a stranger's table: a status for every unit, and counts that add up."""

import csv
import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from datasets_made import build_dataset

import milan_core as milan
from milan_core.cli import main
from milan_core.cli.score_images import _alpha
from milan_core.networks.options import InputSpec
from milan_core.referee.alpha import Chosen

ENTRY = """
factory: milan_core.networks.minis.cnn:resnet_mini
kwargs: {classes: 4, widths: [4, 6, 8]}
weights: {source: random, seed: 3}
input: {size: 64, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
layers: [blocks.0]
"""
TABLE = """layer,unit,description
blocks.0,0,red areas
blocks.0,1,<b>circles</b>
blocks.0,1,stars
blocks.0,2,
blocks.0,9,dogs
block.0,0,dogs
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("score")
    build_dataset("scenes", {"kind": "shapes", "count": 80}, {}, folder / "scenes", 5)
    (folder / "net.yaml").write_text(ENTRY)
    return folder


def score(place, table, *more, out="out"):
    (place / "theirs.csv").write_text(table)
    return main(
        [
            *("score", "--model", f"@{place / 'net.yaml'}", "--images", str(place / "scenes")),
            *("--descriptions", str(place / "theirs.csv"), "--out", str(place / out), *more),
        ]
    )


def test_every_unit_has_a_status_and_the_counts_add_up(place, capsys, caplog):
    assert score(place, TABLE, "--allow-small") == 0
    with (place / "out/scores.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    statuses = {(row["layer"], int(row["unit"])): row["status"] for row in rows}
    assert statuses == {
        ("blocks.0", 0): "scored",
        ("blocks.0", 1): "scored",
        ("blocks.0", 2): "abstained",
        ("blocks.0", 3): "missing",
        ("blocks.0", 9): "unknown unit",
        ("block.0", 0): "unknown unit",
    }
    assert rows[1]["description"] == "circles; stars"
    assert 0 < float(rows[0]["correlation_high"]) <= 1
    assert "2 rows for blocks.0, 1 are scored as one explanation" in caplog.text
    shown = capsys.readouterr().out
    for sentence in (
        "6 rows: 5 texts of 5 units, 1 without text, 0 with the same text",
        "Markup was taken out of 1 text.",
        "1 unit with several different texts: these are scored as one explanation",
        "no layer 'block.0' (1 unit of the table); did you mean blocks.0",
        "Layer 'blocks.0' has 4 units, numbered from 0; the table names 1 unit beyond, such as 9",
        "**Few images:** 80, fewer than 500",
        "Difference: the row's score minus the first row's, averaged over the units that both have",
        f"{len(rows)} units in all",
    ):
        assert sentence in shown
    counts = Counter(statuses.values())
    assert "| scored | 2 |" in shown
    header = next(line for line in shown.splitlines() if line.startswith("| score | mean |"))
    trivial = "constant | most frequent | random word | other unit"
    assert header == f"| score | mean | {trivial} | units |"
    recall = next(line for line in shown.splitlines() if line.startswith("| recall |"))
    assert "[" in recall  # every score has an interval, and the trivial texts beside
    assert recall.endswith("| 2 |")
    assert sum(counts.values()) == len(rows)
    assert (place / "out/summary.md").read_text() in shown
    page = (place / "out/report/scores.html").read_text()
    for text in ("6 rows: 5 texts of 5 units", "circles; stars", "text of another unit"):
        assert text in page
    names = {path.name for path in (place / "out").iterdir()}
    assert names == {
        *("scores.csv", "leaderboard.csv", "sanity.csv", "summary.md", "provenance.json"),
        *("section.json", "describers.csv", "comparison.csv", "report"),
    }


@pytest.mark.parametrize("quiet", [False, True])
def test_start_and_end_are_said_without_a_terminal_unless_quiet(place, capsys, quiet):
    rows = TABLE.splitlines(keepends=True)[:2]
    table = "".join(rows)
    assert score(place, table, "--allow-small", *(["--quiet"] if quiet else []), out="said") == 0
    told = capsys.readouterr().err
    lines = [line for line in told.splitlines() if "assumed of" not in line]
    if quiet:
        assert lines == []
        return
    assert re.fullmatch(r"milan: sanity tests of \d+ scores on \d units?", lines[0])
    assert re.fullmatch(r"milan: scored 1 unit in \d+ s", lines[1])
    assert len(lines) == 2


def test_sanity_tests_can_be_left_out(place, capsys):
    assert score(place, TABLE, "--allow-small", "--no-sanity", out="fast") == 0
    printed = capsys.readouterr()
    assert "sanity tests of" not in printed.err
    assert printed.out.count("The sanity tests were left out") == 2
    assert "have nothing to damage" not in printed.out
    assert (place / "fast/sanity.csv").read_text().splitlines() == [
        "metric,missing,extra,both,units"
    ]
    assert score(place, TABLE, "--allow-small", out="whole") == 0
    assert (place / "fast/scores.csv").read_text() == (place / "whole/scores.csv").read_text()


def test_alpha_is_chosen_on_images_that_do_not_score(place, capsys):
    build_dataset("more", {"kind": "shapes", "count": 400}, {}, place / "more", 6)
    table = "layer,unit,description\n" + "".join(
        f"blocks.0,{unit},{text}\n" for unit, text in enumerate(("red areas", "blue areas"))
    )
    split = ("--images", str(place / "more"), "--heldout", "split", "--allow-small")
    assert score(place, table, *split, out="chosen") == 0
    chosen = capsys.readouterr().out
    with (place / "chosen/leaderboard.csv").open() as handle:
        alphas = {row["alpha"] for row in csv.DictReader(handle)}
    (alpha,) = alphas
    assert f"Alpha is {float(alpha):g}: of 3 values" in chosen  # 5 of 77 images: .1, .2, .5
    assert score(place, table, *split, "--alpha", "0.3", out="fixed") == 0
    assert "Alpha is 0.3, fixed beforehand." in capsys.readouterr().out
    assert score(place, table, "--allow-small", out="all") == 0
    assert "Alpha is 0.02, fixed beforehand." in capsys.readouterr().out


def test_markup_of_a_stranger_does_not_reach_the_page(place, capsys):
    table = "layer,unit,description\nblocks.0,0,red | <img src=x onerror=alert(1)> & x<y `code`\n"
    assert score(place, table, "--allow-small") == 0
    shown = capsys.readouterr().out
    assert "<img" not in shown
    assert "red &#124; &amp; x&lt;y &#96;code&#96;" in shown


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "80 images to score on, expected 500 or more"),
        (("--allow-small", "--layers", "bocks.0"), "unknown layer 'bocks.0'"),
        (("--allow-small", "--judge", "nobody/nothing"), "no usable CLIP or SigLIP checkpoint"),
        (("--allow-small", "--described-by", "oracle"), "are the same model (oracle)"),
        (("--references", "x.csv"), "not both"),
        (("--out", "scores.csv"), "expected a folder for the files"),
        (("--allow-small", "--references", "x.csv", "--fuzzing"), "not both"),
        (("--no-sanity", "--references", "x.csv"), "not both"),
        (("--count", "3"), "--count belongs to --references"),
        (("--heldout", "split", "--allow-small"), "of the 80 that were given to score on"),
    ],
)
def test_mistakes_end_in_one_sentence(place, capsys, more, message):
    assert score(place, TABLE, *more, out="refused") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (place / "refused").exists()


def test_neither_images_nor_references(place, capsys):
    (place / "theirs.csv").write_text(TABLE)
    assert main(["score", "--descriptions", str(place / "theirs.csv")]) == 2
    assert "give --model (or --table) and --images" in capsys.readouterr().err


def test_pictures_without_ground_truth_need_a_judge(place, capsys):
    from PIL import Image

    pictures = place / "pictures"
    pictures.mkdir()
    for number in range(25):
        Image.fromarray(np.full((8, 8, 3), number * 9, np.uint8)).save(pictures / f"{number}.png")
    (place / "theirs.csv").write_text(TABLE)
    code = main(
        [
            *("score", "--model", f"@{place / 'net.yaml'}", "--images", str(pictures)),
            *("--descriptions", str(place / "theirs.csv"), "--allow-small"),
        ]
    )
    assert code == 2
    assert "these images have no ground truth, so no judge can be chosen" in capsys.readouterr().err


class Reds:
    """A judge that sees red, whatever is asked."""

    name = model = "reds"

    def columns(self, images, texts):
        red = images.dataset.images[images.ids][..., 0].mean((1, 2)) / 255
        return np.repeat(red[:, None], len(texts), 1).astype(np.float32)


def test_in_python_a_unit_that_is_its_text_has_correlation_1():
    import torch

    class Red(torch.nn.Module):
        """Unit 0 is the mean of red, unit 1 its opposite, unit 2 dead."""

        def __init__(self):
            super().__init__()
            self.units = torch.nn.Identity()

        def forward(self, x):
            red = x[:, :1].mean((2, 3), keepdim=True)
            return self.units(torch.cat([red, -red, 0 * red], 1))

    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
    result = milan.score(
        *(Red(), pixels, "units", {("units", 0): "red", ("units", 1): "red"}, Reds()),
        input=InputSpec(size=None),
        allow_small=True,
    )
    assert result.counts() == {"scored": 2, "dead": 1}
    assert result.rows[0].correlation.value == pytest.approx(1, abs=1e-4)
    assert result.rows[1].correlation.value == pytest.approx(-1, abs=1e-4)
    assert result.mean("correlation") == pytest.approx(0, abs=1e-4)
    again = milan.score(
        *(Red(), pixels, "units", {("units", 0): "red", ("units", 1): "red"}, Reds()),
        input=InputSpec(size=None),
        allow_small=True,
    )
    assert again.summary() == result.summary()


@pytest.mark.parametrize(("asked", "expected"), [(None, 0.05), (0.3, 0.3)])
def test_the_table_of_a_run_scores_at_the_alpha_that_the_run_chose(tmp_path, asked, expected):
    """It was 0.02 once, at which AUPRC failed its sanity test where the run's own passed."""
    Chosen(alpha=0.05).save(tmp_path / "results/referee/alpha.json")
    table = tmp_path / "results/resnet/referee/activations.safetensors"
    assert _alpha(SimpleNamespace(table=table, alpha=asked)) == expected
    (tmp_path / "results/referee/alpha.json").unlink()
    assert _alpha(SimpleNamespace(table=table, alpha=asked)) == asked
