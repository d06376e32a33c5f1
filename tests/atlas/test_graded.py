"""The atlas of a describer that grades its words: tendencies on cards, counts by grade."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import milan_core as milan
from milan_core.cli import main
from milan_core.core.files import write_csv
from tests.atlas.browser import Browser
from tests.atlas.made import MadeRun

WEAK = "weak: more often with fish, r 0.16"
HEADER = ["layer", "unit", "description", "grade", "score", "share", "base", "tendency"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = MadeRun(tmp_path_factory.mktemp("graded"), networks=("net",), layers=1, units=4)
    for name in ("annotations", "referee", "pool"):
        shutil.rmtree(made.results / "net" / name)
    rows = [
        ("conv.0", 0, "birds", "A", 0.41, 0.8, 0.1, ""),
        ("conv.0", 1, "", "B", 0.16, 0.3, 0.1, WEAK),
        ("conv.0", 2, "", "C", "", "", "", ""),
        ("conv.0", 3, "dogs", "A", 0.33, 0.7, 0.1, ""),
    ]
    write_csv(made.results / "net/descriptions.csv", HEADER, rows)
    out = made.root / "atlas"
    assert main(["atlas", "build", str(made.results), "-o", str(out)]) == 0
    return out


def test_tendencies_stand_on_cards_and_are_found(graded: Path, browser: Browser) -> None:
    page = browser.open(graded / "index.html")
    text = page.text(".tile")
    for line in ("described\n2 of 4", "weak tendency\n1 of 4", "no reliable description\n1 of 4"):
        assert line in text
    page.to("#/net?show=weak")
    page.wait("document.querySelector('#number').value === '1 unit'")
    page.wait("document.querySelectorAll('.found .card').length === 1")
    assert page.text(".found .card .text") == WEAK
    page.to("#/net?q=fish")
    page.wait("!document.querySelector('#matches').hidden")
    assert page.text("#matches") == "1 unit for fish: 1 in the description."
    assert page.mistakes == []
    page.close()


def test_python_has_the_tendency(graded: Path) -> None:
    (one,) = milan.open_atlas(graded).search("fish")
    assert (one.description, one.tendency) == ("", WEAK)
