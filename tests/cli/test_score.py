"""`milan score`: any table of descriptions, against people or known concepts."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from milan_core.cli import main
from milan_core.core.files import read_csv, write_csv

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
