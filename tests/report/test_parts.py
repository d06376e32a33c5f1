"""Pictures, wording and number formats of the report, each on its own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from milan_core.core.files import write_csv
from milan_core.report import sheets, wording
from milan_core.report.overview import inline_svg
from milan_core.report.pages import duration
from milan_core.report.results import Figure, Table, average, lambda_rows

COLUMNS = ("model", "method", "metric", "value", "low", "high", "n")


def table(tmp_path: Path, *rows: tuple[object, ...]) -> Table:
    write_csv(tmp_path / "t.csv", COLUMNS, rows)
    return Table(tmp_path / "t.csv", ("model", "method", "metric"))


def test_outline_is_the_inner_border_of_a_mask() -> None:
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 1:5, 1:5] = True
    found = sheets.outline(mask)
    assert found.sum() == 12
    assert not found[0, 2:4, 2:4].any()
    assert not sheets.outline(np.ones((1, 6, 6), bool)).any()  # the frame is no border
    assert not sheets.outline(np.zeros((1, 6, 6), bool)).any()


def test_drawing_dims_outside_and_keeps_inside() -> None:
    images = np.full((1, 6, 6, 3), 100, np.uint8)
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 1:5, 1:5] = True
    drawn = sheets.draw_masks(images, mask)
    assert drawn[0, 0, 0].tolist() == [30, 30, 30]
    assert drawn[0, 2, 2].tolist() == [100, 100, 100]
    assert drawn[0, 1, 1].tolist() == [255, 255, 255]


def test_sheet_places_tiles_row_by_row() -> None:
    tiles = np.stack([np.full((64, 64, 3), i, np.uint8) for i in range(7)])
    canvas = sheets.sheet(tiles, columns=5)
    assert canvas.shape == (130, 328, 4)
    assert sheets.sheet_size(7) == (328, 130)
    assert canvas[66, 66].tolist() == [6, 6, 6, 255]
    assert canvas[0, 64].tolist() == [0, 0, 0, 0]  # gap
    assert canvas[129, 327, 3] == 0  # empty place


def test_thumbnails_shrink_once_and_show_grey_for_no_image() -> None:
    thumbnails = sheets.Thumbnails(np.full((2, 128, 96, 3), 7, np.uint8))
    assert thumbnails.get(1).shape == (64, 64, 3)
    assert thumbnails.get(1) is thumbnails.get(1)
    assert (thumbnails.get(-1) == 128).all()


def test_numbers_read_well() -> None:
    assert wording.signed(-1.234) == "−1.23"
    assert wording.signed(0.001) == "±0.00"
    assert wording.signed(math.nan) == "–"
    assert wording.points(0.123) == "+12 points"
    assert wording.share(Figure(0.5, 0.4, 0.6)) == "50% [40–60]"
    assert wording.share(Figure(0.5)) == "50%"
    assert duration(59.94) == "59.9 s"
    assert duration(125) == "2 min 05 s"
    assert duration(3720) == "1 h 02 min"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.3, 0.5, "clearly below"),
        (-0.1, 0.2, "too close to tell apart"),
        (-0.5, -0.3, "they fail this test"),
    ],
)
def test_the_verdict_follows_the_interval(
    tmp_path: Path, low: float, high: float, expected: str
) -> None:
    lead = (low + high) / 2
    found = table(
        tmp_path,
        ("m", "pmi", "concept_accuracy", 0.5, 0.4, 0.6, 9),
        ("m", "constant", "concept_accuracy", 0.5 - lead, 0, 1, 9),
        ("m", "constant", "concept_accuracy:lead-of-pmi", lead, low, high, 9),
        ("m", "whole_image", "concept_accuracy:lead-of-pmi", lead, low, high, 9),
        ("m", "constant", "bert_score-f:lead-of-pmi", lead, low, high, 9),
    )
    assert expected in (wording.accuracy_sentence("m", found) or "")
    masks = wording.mask_sentence(["m"], found) or ""
    assert ("lowers" in masks, "raises" in masks) == (low > 0, high < 0)
    bert = wording.bert_sentence(["m"], found) or ""
    assert ("does not separate" in bert) == (low <= 0)


def test_no_numbers_no_sentences(tmp_path: Path) -> None:
    empty = table(tmp_path, ("m", "pmi", "bleu", "", "", "", 0))
    assert wording.accuracy_sentence("m", empty) is None
    assert wording.mask_sentence(["m"], empty) is None
    assert wording.bert_sentence(["m"], empty) is None
    assert wording.ceiling_sentence(["m"], empty) is None
    assert wording.lambda_sentence("s", [], 0.2) is None
    assert not Table(None, ("x",))
    assert not average([]).known


def test_a_lone_accuracy_is_stated_without_a_rival(tmp_path: Path) -> None:
    found = table(tmp_path, ("m", "pmi", "concept_accuracy", 0.5, "", "", 9))
    assert (wording.accuracy_sentence("m", found) or "").startswith("m: 50% of 9 units")


@pytest.mark.parametrize(
    ("gain", "words"), [(0.1, "a clear gain"), (-0.1, "a clear loss"), (0.0, "no clear change")]
)
def test_lambda_sentence(gain: float, words: str) -> None:
    shared = {"distinct": 50.0, "mean_information": 4.0}
    rows = [
        {"lambda": 0.0, "concept_accuracy": 0.5, **shared},
        {
            **shared,
            **{"lambda": 0.2, "concept_accuracy": 0.5 + gain, "accuracy_gain": gain},
            **{"gain_low": gain - 0.05, "gain_high": gain + 0.05},
        },
    ]
    text = wording.lambda_sentence("s", rows, 0.2) or ""
    assert words in text
    assert ("no other λ tried is more accurate" in text) == (gain > 0)


def test_trials_are_averaged(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        ("m", "pmi", "bleu", 10, "", "", 9),
        ("m", "pmi", "bleu", 20, "", "", 9),
    )
    figure = found.get("m", "pmi", "bleu")
    assert (figure.value, figure.trials, figure.n) == (15.0, 2, 9)
    assert math.isnan(figure.low)


def test_lambda_survives_the_mean_over_trials(tmp_path: Path) -> None:
    """Three trials at 0.2: their floating-point mean is not 0.2, and the chosen row was lost."""
    rows = [("s", trial, weight, trial) for trial in (0, 1, 2) for weight in (0.2, 0.7)]
    write_csv(tmp_path / "l.csv", ("split", "trial", "lambda", "bleu"), rows)
    found = lambda_rows(tmp_path / "l.csv")["s"]
    assert [(row["lambda"], row["bleu"]) for row in found] == [(0.2, 1.0), (0.7, 1.0)]


def test_inline_svg_gets_own_ids_and_page_colours(tmp_path: Path) -> None:
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg "http://x"><svg xmlns="http://www.w3.org/2000/svg">'
        '<metadata>http://y</metadata><g id="a" style="fill: #1f2933; clip-path: url(#a)"/>'
        '<use xlink:href="#a"/></svg>'
    )
    (tmp_path / "f.svg").write_text(svg)
    assert str(inline_svg(tmp_path / "f.svg", "fig")) == (
        '<svg><g id="fig-a" style="fill: var(--ink); clip-path: url(#fig-a)"/>'
        '<use href="#fig-a"/></svg>'
    )
    assert inline_svg(None, "fig") is None


def test_diversity_sentence_tells_collapse_and_silence() -> None:
    text = wording.diversity_sentence("m", ["dog", "dog", "cat", ""])
    assert text == (
        "m: 3 different descriptions for 4 units; for 1 of them the captioner says nothing; "
        "the most frequent, “dog”, is said of 50% of them."
    )
    assert wording.diversity_sentence("m", ["a", "b"]) == "m: 2 different descriptions for 2 units."
    assert wording.diversity_sentence("m", []) is None
