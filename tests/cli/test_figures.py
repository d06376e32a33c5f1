"""`milan figures`: names of the files, what is left out, what is refused."""

import sys
from types import ModuleType

import pytest

from milan_core.cli import main
from milan_core.core.drawing import render


@pytest.fixture
def results(tmp_path):
    """A run with one figure at the top, one below, and copies of pages."""
    svg = render(lambda figure: figure.subplots().plot([1, 2]), "x", (2, 1))
    places = ["edit/curves.svg", "analyze/net/curves.svg", "atlas/files/edit/curves.svg"]
    for place in places:
        path = tmp_path / "results" / place
        path.parent.mkdir(parents=True)
        path.write_text(svg)
    return tmp_path / "results"


def figures(results, *words):
    return main(["figures", str(results), "--out", str(results.parent / "out"), *words])


def written(results):
    return sorted(path.name for path in (results.parent / "out").iterdir())


def test_every_figure_is_named_after_its_place(results):
    assert figures(results) == 0
    assert written(results) == ["analyze-net-curves.svg", "edit-curves.svg"]
    copied = results.parent / "out/edit-curves.svg"
    assert copied.read_bytes() == (results / "edit/curves.svg").read_bytes()


def test_pdf_comes_from_the_package(results, monkeypatch):
    stand_in = ModuleType("cairosvg")
    asked = []

    def svg2pdf(bytestring):
        asked.append(bytestring)
        return b"%PDF"

    stand_in.svg2pdf = svg2pdf
    monkeypatch.setitem(sys.modules, "cairosvg", stand_in)
    assert figures(results, "--format", "pdf") == 0
    assert written(results) == ["analyze-net-curves.pdf", "edit-curves.pdf"]
    assert asked[1] == (results / "edit/curves.svg").read_bytes()


def test_pdf_of_the_package_itself(results):
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("cairosvg or cairo is not here")
    assert figures(results, "--format", "pdf") == 0
    content = (results.parent / "out/edit-curves.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    (results / "edit/curves.svg").write_text("<svg><text>not closed</svg>")
    assert main(["figures", str(results), "--format", "pdf", "--out", str(results / "o")]) == 2
    assert not (results / "o").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no package", "pip install 'milan-workflow[pdf]'"),
        ("no library", "install cairo"),
        ("no figures", "holds no figure"),
        ("no folder", "no such folder"),
        ("too large", "at most"),
    ],
)
def test_what_is_missing_is_one_sentence(results, monkeypatch, capsys, damage, words):
    if damage == "no package":
        monkeypatch.setitem(sys.modules, "cairosvg", None)
    elif damage == "no library":

        def load(*_):
            raise OSError("no library called cairo")

        monkeypatch.setattr("milan_core.core.packages.optional", load)
    elif damage == "too large":
        monkeypatch.setattr("milan_core.cli.figures.LARGEST", 3)
    else:
        results = results.parent / ("out2" if damage == "no folder" else "empty")
        if damage == "no figures":
            results.mkdir()
    assert figures(results, "--format", "pdf") == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (results.parent / "out").exists()
