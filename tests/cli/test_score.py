"""`milan score`: any table of descriptions, against people or known concepts."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from milan_core.cli import main
from milan_core.core.files import read_csv, write_csv
from milan_core.scoring.external import read_known

TRUTH = ("layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept")
CONCEPTS = ("dog", "cat", "dog", "bird", "none")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Five described units, of which people wrote of four, the fifth having two texts only."""
    texts = ("a dog", "a cat", "a cat", "a bird", "sky")
    rows = [("conv3", unit, text, 1.0) for unit, text in enumerate(texts)]
    write_csv(tmp_path / "mine.csv", ("layer", "unit", "caption", "score"), rows)
    said = [
        ("conv3", unit, text.format(CONCEPTS[unit]))
        for unit in range(4)
        for text in ("a {}", "the {}", "my {} here")
    ]
    said += [("conv3", 9, "sky"), ("conv3", 4, "sky"), ("conv3", 4, "blue")]
    write_csv(tmp_path / "annotations.csv", ("layer", "unit", "summary"), said)
    rows = [("conv3", u, c, "object", 0.9, 12, int(c != "none"), c) for u, c in enumerate(CONCEPTS)]
    write_csv(tmp_path / "truth.csv", TRUTH, rows)
    with zipfile.ZipFile(tmp_path / "net-set.zip", "w") as archive:
        archive.write(tmp_path / "annotations.csv", "net/set/annotations.csv")
        archive.writestr("net/set/conv3/masks.npy", b"not looked at")
    return tmp_path


def score(files: Path, *more: object) -> tuple[int, dict[tuple[str, str], float]]:
    out = files / "out/scores.csv"
    arguments = ["score", "--descriptions", files / "mine.csv", "--column", "caption"]
    arguments += ["--bootstrap", "200", "--out", out, *more]
    code = main(list(map(str, arguments)))
    rows = read_csv(out) if out.is_file() else []
    return code, {(row["method"], row["metric"]): float(row["value"] or "nan") for row in rows}


def test_people(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, values = score(files, "--references", files / "net-set.zip", "--count", 3)
    assert code == 0
    assert values["descriptions", "bleu-1"] == pytest.approx(100 * 7 / 8), "one word of eight"
    methods = {method for method, _ in values}
    assert {"constant", "most_frequent", "shuffled_prediction", "annotators"} <= methods
    assert not any("accuracy" in metric or "pmi" in metric for _, metric in values)
    said = capsys.readouterr().out
    assert "4 units scored; 1 described units have no reference, 0 of 4" in said
    assert "chosen among the references themselves" in said
    assert said.splitlines()[-1].startswith("annotators")
    assert "rouge-l-f" in said
    record = json.loads((files / "out/scores.provenance.json").read_text())
    assert record["step"] == "score"
    folder = score(files, "--references", files)
    assert folder[1]["descriptions", "distinct"] == 4, "all five units, whatever their texts"
    assert "5 units scored; 0 described units have no reference, 1 of 6" in capsys.readouterr().out


def test_units_of_one_group_are_one_cluster(tmp_path: Path) -> None:
    """The column of the tables that the workflow writes; each table counts for itself."""
    header = ("layer", "unit", "summary", "group")
    for layer, groups in (("a", (0, 0, 1)), ("b", (0, 2, 2))):
        rows = [(layer, unit, "a dog", group) for unit, group in enumerate(groups)]
        write_csv(tmp_path / f"{layer}.csv", header, rows)
    write_csv(tmp_path / "c.csv", header[:3], [("c", unit, "a cat") for unit in (0, 0, 1)])
    known = read_known([tmp_path / f"{name}.csv" for name in "abc"])
    references = known.references(sorted(known.units()))
    assert references.clusters.tolist() == [0, 0, 1, 2, 3, 3, 4, 5]


def test_known_concepts(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, values = score(files, "--references", files / "truth.csv")
    assert code == 0
    assert values["descriptions", "concept_accuracy"] == pytest.approx(3 / 4)
    assert values["constant_concept", "concept_accuracy"] == pytest.approx(2 / 4)
    lead = values["constant_concept", "concept_accuracy:lead-of-descriptions"]
    assert lead == pytest.approx(1 / 4)
    assert ("descriptions", "bleu") not in values, "nobody wrote a text"
    both = files / "annotations.csv", files / "truth.csv"
    _, values = score(files, "--references", *both, "--trained-on", files / "annotations.csv")
    assert ("descriptions", "bleu") in values
    assert ("descriptions", "concept_accuracy") in values
    assert "--trained-on" not in capsys.readouterr().out.rsplit("units scored", 1)[-1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("other.csv", "layer,unit,summary\nfc,0,dogs\n", "layers are compared by name, such as"),
        ("odd.csv", "layer,unit,words\nconv3,0,dogs\n", "expected the column summary"),
        ("mute.csv", "layer,unit,summary\nconv3,0,\nconv3,1, .\n", "no text has a word"),
        ("none.zip", "no archive", "none.zip"),
        ("gone.csv", None, "gone.csv"),
    ],
)
def test_mistakes(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, words: str
) -> None:
    if text is not None:
        (files / name).write_text(text)
    code, values = score(files, "--references", files / name)
    assert (code, values) == (2, {})
    assert words in capsys.readouterr().err
    twice = score(files, "--references", files / "truth.csv", files / "truth.csv")
    assert twice[0] == 2


def table(path: Path, column: str, texts: list[str]) -> Path:
    rows = [("c", unit, text) for unit, text in enumerate(texts)]
    write_csv(path, ["layer", "unit", column], rows)
    return path


def test_units_that_show_nothing_are_left_out_and_said(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_csv(files / "mine.csv")
    states = ("", "", "dead", "constant", "")
    texts = [
        (row["layer"], row["unit"], "" if state else row["caption"], state)
        for row, state in zip(rows, states, strict=True)
    ]
    write_csv(files / "mine.csv", ("layer", "unit", "caption", "status"), texts)
    code, values = score(files, "--references", files / "truth.csv")
    assert (code, values["descriptions", "silent"]) == (0, 2)
    assert values["descriptions", "concept_accuracy"] == 1, "the dog and the cat that are left"
    said = capsys.readouterr().out
    assert "2 of 5 units show nothing to describe (constant, dead); they are left out" in said
    assert "are empty" not in said, "they are no abstentions"
    write_csv(
        files / "mine.csv",
        ("layer", "unit", "caption", "status"),
        [(*row[:3], "dead") for row in texts],
    )
    assert score(files, "--references", files / "truth.csv")[0] == 2
    assert "none of its 5 units shows anything to describe" in capsys.readouterr().err


def test_empty_descriptions_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    references = table(tmp_path / "refs.csv", "summary", ["red cars"] * 4)
    half = table(tmp_path / "half.csv", "description", ["red cars", "red cars", "", " . "])
    arguments = ["score", "--references", references, "--bootstrap", 100]
    assert main(list(map(str, [*arguments, "--descriptions", half]))) == 0
    said = capsys.readouterr().out
    assert "2 of 4 descriptions are empty; ROUGE passes over them, as published" in said
    assert "with 0 for them rouge-1-f 0.500 and rouge-l-f 0.500" in said
    code, values = score_table_of(half, references, tmp_path / "scores.csv")
    assert (code, values["descriptions", "empty"]) == (0, 2)
    whole = table(tmp_path / "whole.csv", "description", ["red cars"] * 4)
    code, values = score_table_of(whole, references, tmp_path / "scores.csv")
    assert ("descriptions", "empty") not in values
    assert "empty" not in capsys.readouterr().out.rsplit("scored", 1)[-1]


def score_table_of(
    descriptions: Path, references: Path, out: Path
) -> tuple[int, dict[tuple[str, str], float]]:
    arguments = ["--descriptions", descriptions, "--references", references, "--out", out]
    code = main(list(map(str, ["score", *arguments, "--bootstrap", 100])))
    rows = read_csv(out) if out.is_file() else []
    return code, {(row["method"], row["metric"]): float(row["value"] or "nan") for row in rows}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("bom", b"\xef\xbb\xbflayer,unit,description\r\nc,0,red\r\n", ""),
        ("latin1", "layer,unit,description\nc,0,caf\xe9\n".encode("latin-1"), "line 2: not UTF-8"),
        ("utf16", "layer,unit,description\nc,0,red\n".encode("utf-16"), "line 1: not UTF-8"),
        ("semicolon", b"layer;unit;description\nc;0;red\n", "separate columns with commas"),
        ("ragged", b"layer,unit,description\nc,0,red\nc,1\n", "line 3: expected 3 fields"),
        ("long", b"layer,unit,description\nc,0," + b"red " * 40_000, "line 2: a text of 160000"),
        ("words", b"layer,unit,description\nc,0," + b"red " * 2_000, ""),
        ("quote", b'layer,unit,description\nc,0,"red\nc,1,blue\n', "line 3: not a CSV table"),
        ("twice", b"layer,unit,unit\nc,0,0\n", "appears twice"),
        ("nul", b"layer,unit,description\nc,0,r\0ed\n", "a NUL byte"),
        ("nothing", b"", "is empty"),
        ("header", b"layer,unit,description\n", "holds no description"),
        ("letters", b"layer,unit,description\nc,one,red\n", "unit must be a number"),
        ("folder", None, "is a folder; give a CSV file"),
    ],
)
def test_tables_of_spreadsheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes | None, words: str
) -> None:
    references = table(tmp_path / "refs.csv", "summary", ["red cars", "blue cars"])
    path = tmp_path / f"{name}.csv"
    path.mkdir() if data is None else path.write_bytes(data)
    code, _ = score_table_of(path, references, tmp_path / "out.csv")
    error = capsys.readouterr().err
    assert code == (2 if words else 0), error
    assert words in error
    assert error.count("\n") == bool(words)


def test_units_of_different_numbers_of_annotations_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """BLEU reads as many annotations of every unit as all units have: of one unit's first alone."""
    rows = [("c", 0, "a car"), ("c", 0, "red cars"), ("c", 1, "red cars"), ("c", 2, "red cars")]
    write_csv(tmp_path / "refs.csv", ("layer", "unit", "summary"), rows)
    mine = table(tmp_path / "mine.csv", "description", ["red cars"] * 3)
    code, values = score_table_of(mine, tmp_path / "refs.csv", tmp_path / "scores.csv")
    assert code == 0
    said = capsys.readouterr().out
    assert "units have 1 to 2 annotations: BLEU compares with the first 1 of each, and" in said
    assert "annotators are not scored; --count 2 leaves units with fewer out" in said
    assert values["descriptions", "bleu-1"] == pytest.approx(100 * 4 / 6), "not all six words"
    score_table_of(
        mine, table(tmp_path / "one.csv", "summary", ["red cars"] * 3), tmp_path / "s.csv"
    )
    assert "annotations: BLEU" not in capsys.readouterr().out
