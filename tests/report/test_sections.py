"""Sections of experiments: written, read back, shown; what is wrong with one is one sentence."""

import pytest

from milan_core.core.drawing import render, write_figure
from milan_core.core.errors import UserError
from milan_core.core.files import read_json, write_csv, write_json, write_text
from milan_core.core.section import (
    Column,
    Link,
    Picture,
    Section,
    Table,
    read_section,
    write_section,
)
from milan_core.report.pages import coded
from milan_core.report.sections import cell, load_sections

COLUMNS = [
    Column("condition", "Condition"),
    Column("accuracy", "Accuracy", "percent", low="low", high="high"),
    Column("n", "Units", "integer"),
]


@pytest.fixture
def section(tmp_path):
    folder = tmp_path / "results" / "edit"
    rows = [["none <b>", 0.5, 0.4, 0.625, 3.0], ["text", "", "", "", 1]]
    write_csv(folder / "summary.csv", ["condition", "accuracy", "low", "high", "n"], rows)
    write_figure(folder / "curve.svg", render(lambda figure: figure.subplots(), "curve", (2, 1)))
    write_text(folder / "review.html", "<p>review</p>")
    section = Section(
        "edit",
        "Editing",
        50,
        ["It helps.", "More."],
        [
            Table("summary.csv", "All numbers", COLUMNS, folded=True),
            Picture("curve.svg", "Accuracy against units"),
            Link("review.html", "Review sheet"),
        ],
    )
    write_section(folder / "section.json", section)
    return folder / "section.json"


def test_written_is_read(section):
    again = read_section(section)
    assert (again.name, again.order, list(again.paragraphs)) == ("edit", 50, ["It helps.", "More."])
    assert again.items[0] == Table("summary.csv", "All numbers", COLUMNS, folded=True)


def test_page_content(section, tmp_path):
    (page,) = load_sections([section], [section.parent], tmp_path / "results" / "report")
    table, figure, link = page.items
    assert page.page == "edit.html"
    assert table["rows"][0] == [("none <b>", ""), ("50.0%", "[40.0%, 62.5%]"), ("3", "")]
    assert table["rows"][1] == [("text", ""), ("–", ""), ("1", "")]
    assert figure["svg"].startswith("<svg")
    assert link["href"] == "../edit/review.html"


def test_files_that_no_rule_lists_are_refused(section, tmp_path):
    with pytest.raises(UserError, match=r"names curve\.svg, which is not among the section files"):
        load_sections([section], [section.with_name("summary.csv")], tmp_path)


def test_order_of_pages(section, tmp_path):
    first = tmp_path / "results" / "audit" / "section.json"
    write_section(first, Section("audit", "Auditing", 40, []))
    pages = load_sections([section, first], section.parent.iterdir(), tmp_path / "report")
    assert [page.section.name for page in pages] == ["audit", "edit"]


@pytest.mark.parametrize(
    ("change", "word"),
    [({"format": 99}, "format 1, got 99"), ({"items": [{"kind": "movie"}]}, "movie")],
)
def test_unknown_is_refused(section, change, word):
    write_json(section, {**read_json(section), **change})
    with pytest.raises(UserError, match=word):
        read_section(section)


def test_absent_files_are_noticed_when_written(tmp_path):
    lost = Section("x", "X", 1, [], [Link("gone.html", "")])
    with pytest.raises(FileNotFoundError, match=r"gone\.html"):
        write_section(tmp_path / "section.json", lost)


def test_numbers():
    assert cell({"v": "0.12345"}, Column("v", "V", "number", digits=3)) == ("0.123", "")
    assert cell({"v": "nan"}, Column("v", "V", "number")) == ("–", "")


def test_backticks_become_code_and_nothing_else_becomes_markup():
    assert coded("`a_b` < `c`") == "<code>a_b</code> &lt; <code>c</code>"
    assert coded("one ` alone, `<b>`") == "one <code> alone, </code>&lt;b&gt;`"
