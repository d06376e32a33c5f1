"""Tests that pages name exist, so that a claim of docs/review.md always has its test."""

import ast
import re

import pytest

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def functions(path):
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


def rows(page):
    """The cells of every table row that begins like a row of the review: `A1 ...`."""
    return [line.split("|") for line in page.splitlines() if re.match(r"\| [A-D]\d* ", line)]


def test_tests_that_the_review_names_exist(root):
    named = NAMED.findall((root / "docs/review.md").read_text())
    assert len(named) > 30
    missing = [(path, name) for path, name in named if name not in functions(root / path)]
    assert not missing


def test_every_row_of_the_review_has_a_test(root):
    found = rows((root / "docs/review.md").read_text())
    assert {cells[1].split()[0] for cells in found} == {
        *(f"A{n}" for n in range(1, 7)), *(f"C{n}" for n in range(1, 11)), "B", "D",
    }  # fmt: skip
    assert all(NAMED.search(cells[4]) for cells in found)
    assert all(cells[2].strip() and cells[3].strip() for cells in found)


@pytest.mark.parametrize("page", ["docs/results.md"])
def test_tests_named_without_a_file_exist_too(root, page):
    text = (root / page).read_text()
    names = set(re.findall(r"`(test_\w+)(?:\.\.\.)?`", text))
    every = {name for path in (root / "tests").rglob("test_*.py") for name in functions(path)}
    assert names
    assert not {name for name in names if not any(one.startswith(name) for one in every)}


def test_whatever_says_clearly_has_the_one_definition(root):
    """Sentences of reports and commands take their verdicts from `scoring.verdicts`."""
    says = [
        path
        for path in (root / "milan_core").rglob("*.py")
        if re.search(r"\b[Cc]learly\b", path.read_text()) and path.name != "verdicts.py"
    ]
    images = [path for path in says if path.parent.name == "photographs"]  # that show a word
    assert len(says) > 8
    assert not [
        path for path in says if path not in images and "scoring.verdicts" not in path.read_text()
    ]
