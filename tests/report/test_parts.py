"""Texts, figures and formats of the report, each on its own."""

from __future__ import annotations

import math
from pathlib import Path

from milan_core.core.numbers import points, signed
from milan_core.report.drawings import inline_svg
from milan_core.report.pages import duration


def test_numbers_read_well() -> None:
    assert signed(-1.234) == "−1.23"
    assert signed(0.001) == "±0.00"
    assert signed(math.nan) == "–"
    assert points(0.123) == "+12 points"
    assert duration(59.94) == "59.9 s"
    assert duration(125) == "2 min 05 s"
    assert duration(3720) == "1 h 02 min"


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
