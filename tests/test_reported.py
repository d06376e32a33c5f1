"""Every row of the page of reports names tests or pages, and all of them exist."""

import ast
import re
from functools import cache

import pytest
from paths import ROOT, TESTS

PAGE = ROOT / "docs/reported.md"
ROWS = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [A-Z]?\d*[A-Z]? ?\|", line)]
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
DOCUMENT = re.compile(r"`((?:docs/|config/)?\w+\.md)`")


@cache
def functions_of(path):
    return {
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
    }


def test_no_report_is_forgotten():
    numbers = {row.split("|")[1].strip() for row in ROWS}
    groups = {"A": 4, "B": 5, "D": 5, "E": 3, "N": 13, "": 17}
    expected = {f"{name}{n}" for name, count in groups.items() for n in range(1, count + 1)}
    assert numbers == expected | {"C", "F", "G"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_has_its_evidence(row):
    evidence = row.split("|")[-2]
    documents = DOCUMENT.findall(evidence)
    assert TEST.search(evidence) or documents
    assert all((ROOT / name).is_file() for name in documents)


def test_every_named_test_is_there():
    named = TEST.findall(PAGE.read_text())
    assert len(named) > 100
    missing = [name for name in named if name[1] not in functions_of(TESTS / name[0])]
    assert not missing
