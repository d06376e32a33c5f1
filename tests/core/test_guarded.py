"""Readers of files turn whatever their content causes into one sentence, everywhere."""

import ast
import pickle
import re

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.no_number import no_number
from milan_core.core.numbers import number
from milan_core.core.shipped import PACKAGE

RAW = {"read_json", "load_tensors", "map_tensors"}
# Functions that make no sentence of what they read, and why.
ELSEWHERE = {
    "images/resume.py:resume": "starts afresh where the record is damaged",
    "annotations/packing.py:_record": "packs again",
}


def unguarded(path):
    """(function, line) of calls of raw readers outside `with reading` and `@reads`."""

    def visit(node, guarded, function):
        if isinstance(node, ast.FunctionDef):
            function = node.name
            guarded = any("reads" in ast.unparse(item) for item in node.decorator_list)
        elif isinstance(node, ast.With):
            guarded = guarded or any("reading(" in ast.unparse(item) for item in node.items)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in RAW:
            yield from () if guarded else [(function, node.lineno)]
        for child in ast.iter_child_nodes(node):
            yield from visit(child, guarded, function)

    yield from visit(ast.parse(path.read_text()), False, "")


def test_every_reader_of_a_document_is_guarded():
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}:{name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, _ in unguarded(path)
    }
    assert found - ELSEWHERE.keys() == set(), "read in `with reading(...)` or under `@reads(...)`"
    assert ELSEWHERE.keys() - found == set(), "these are guarded now"


@pytest.fixture
def row(tmp_path):
    path = tmp_path / "t.csv"
    write_csv(path, ("layer", "score"), [("a", "0.5"), ("b", "x\ny")])
    return read_csv(path)[1]


@pytest.mark.parametrize("take", [float, int, number])
def test_a_text_for_a_number_says_its_place(row, take):
    with pytest.raises(ValueError, match=r"x.ny") as caught:
        take(row["score"])
    problem = no_number(caught.value)
    assert re.search(r"t\.csv, line 4, column 'score': expected a number, got 'x.ny'", problem)


def test_an_error_of_another_cell_is_not_that_of_the_last(row):
    assert row["layer"] == "b"
    with pytest.raises(ValueError, match="in no table") as caught:
        float("in no table")
    assert no_number(caught.value) == ""
    assert no_number(KeyError("b")) == ""


def test_a_column_that_is_not_there_says_its_place(row):
    with pytest.raises(UserError, match=r"t\.csv, line 4: missing column 'p'; got \['layer'"):
        row["p"]
    assert row.get("p") is None


def test_a_copied_cell_says_its_place_too(row):
    copied = {**row, "other": "1"}
    assert row["layer"] == "b"
    with pytest.raises(ValueError, match=r"x.ny") as caught:
        int(copied["score"])
    assert "t.csv, line 4, column 'score'" in no_number(caught.value)


@pytest.mark.parametrize(
    "extend", [lambda row: row | {"other": 1}, lambda row: {**row, "other": 1}]
)
def test_an_empty_cell_of_a_longer_row_says_its_place(tmp_path, extend):
    path = tmp_path / "t.csv"
    write_csv(path, ("layer", "note", "score"), [("a", "", "0.5"), ("b", "", "")])
    row = extend(read_csv(path)[1])
    with pytest.raises(ValueError, match="''") as caught:
        int(row["score"])
    problem = no_number(caught.value)
    assert "t.csv, line 3, column 'score': expected a number, got an empty cell" in problem


def test_a_table_without_rows_has_no_such_cell(tmp_path):
    write_csv(tmp_path / "t.csv", ("layer", "score"), [])
    read_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="''") as caught:
        int("")
    assert str(tmp_path) not in no_number(caught.value)


def test_cells_are_plain_texts(row):
    assert type(row["layer"]) is str
    assert type(row.get("layer")) is str
    assert row == {"layer": "b", "score": "x\ny"}
    assert {**row} == dict(row) == pickle.loads(pickle.dumps(row))


def test_a_message_is_one_line():
    assert str(UserError("a\nb\r\n  c\u2028d")) == "a b c d"
