"""Tables that strangers write: each row is accounted for, or refused with file and line."""

import pytest

from milan_core.core.errors import UserError
from milan_core.referee.submitted import (
    from_mapping,
    from_rows,
    plain,
    read_submitted,
    unknown_units,
)


def read(tmp_path, text, encoding="utf-8", **kwargs):
    path = tmp_path / "theirs.csv"
    path.write_bytes(text.encode(encoding))
    return read_submitted(path, **kwargs)


def texts(given):
    return {key: one.texts for key, one in given.explanations.items()}


def test_plain_table(tmp_path):
    given = read(tmp_path, "layer,unit,description\nconv,0,a dog\nconv,1,cats\n")
    assert texts(given) == {("conv", 0): ("a dog",), ("conv", 1): ("cats",)}
    assert (given.rows, given.texts, given.empty, given.repeated) == (2, 2, 0, 0)


def test_rows_of_python_are_read_as_a_table_is():
    rows = [
        {"layer": "conv", "unit": 0, "description": "a dog", "score": 0.4},
        {"layer": "conv", "unit": 1, "description": None},
        {"layer": "conv", "unit": 2, "description": float("nan")},  # an empty cell of pandas
        {"layer": "conv", "unit": 3, "description": "cats", "weight": 0.5},
        {"layer": "conv", "unit": 3, "description": "dogs", "weight": 0.25},
    ]
    given = from_rows(rows)
    assert texts(given) == {
        **{("conv", 0): ("a dog",), ("conv", 1): (), ("conv", 2): ()},
        ("conv", 3): ("cats", "dogs"),
    }
    assert given.explanations["conv", 3].weights == (0.5, 0.25)
    assert given.empty == 2


@pytest.mark.parametrize(
    ("read", "given", "words"),
    [
        (from_rows, [{"layer": "c", "description": "a"}], "row 0 lacks 'unit'; it has layer, desc"),
        (from_rows, [{"layer": "c", "unit": "x", "description": "a"}], "descriptions: row 0"),
        (from_rows, [{"layer": "c", "unit": 0, "description": 7}], "got int 7; expected a text"),
        (
            from_rows,
            ["a dog"],
            "got a list of str; expected texts by (layer, unit), a table's path",
        ),
        (from_rows, 3, "`frame.to_dict('records')` of pandas"),
        (from_mapping, {"conv": "a dog"}, "got the key 'conv'; expected (layer, unit)"),
        (from_mapping, {("conv", "x"): "a dog"}, "descriptions: ('conv', 'x')"),
        (from_mapping, {("conv", 0): 7}, "got int 7; expected a text"),
    ],
)
def test_other_descriptions_of_python_are_sentences(read, given, words):
    with pytest.raises(UserError) as refused:
        read(given)
    assert words in str(refused.value)


def test_empty_and_repeated_rows_are_counted_and_add_up(tmp_path):
    table = "layer,unit,description\nc,0,dog\nc,0,dog\nc,0,\nc,1,   \nc,2,cat\nc,2,tiger\n"
    given = read(tmp_path, table)
    assert texts(given) == {("c", 0): ("dog",), ("c", 1): (), ("c", 2): ("cat", "tiger")}
    assert given.texts + given.empty + given.repeated == given.rows == 6
    assert (given.empty, given.repeated, given.listed) == (2, 1, 1)
    assert given.notes()[0] == (
        "6 rows: 3 texts of 3 units, 2 without text, 1 with the same text as another row "
        "of their unit."
    )
    assert given.notes()[1].startswith("1 unit with several different texts: these are scored as")
    assert given.several() == ["2 rows for c, 2 are scored as one explanation"]


def test_units_with_several_texts_are_named(tmp_path):
    rows = [("b", 3, "a"), ("b", 3, "b"), ("b", 4, "c"), ("b", 5, "d"), ("b", 5, "e")]
    rows += [("c", 0, text) for text in "xyz"]
    table = "".join(f"{layer},{unit},{text}\n" for layer, unit, text in rows)
    assert read(tmp_path, f"layer,unit,description\n{table}").several() == [
        "2 rows for b, 3 and for each of 1 other unit are scored as one explanation",
        "3 rows for c, 0 are scored as one explanation",
    ]
    assert read(tmp_path, "layer,unit,description\nc,0,a\nc,0,a\nc,0,\n").several() == []


def test_markup_and_control_characters_are_taken_out(tmp_path):
    table = (
        'layer,unit,description\nc,0,<script>alert(1)</script> a&nbsp;<b>dog</b>\nc,1,"a\ncat"\n'
    )
    given = read(tmp_path, table)
    assert texts(given) == {("c", 0): ("a dog",), ("c", 1): ("a cat",)}
    assert given.marked == 1
    assert plain("a < b and b > c, 3<4") == "a < b and b > c, 3<4"
    assert plain("fish &amp; chips\u200b") == "fish & chips"
    assert plain("do\u200bgs \u202eevil\u2066") == "dogs evil"  # hidden letters, turned direction
    assert plain("<STYLE>p {}</style>red<br>areas") == "red areas"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_with_and_without_a_mark(tmp_path, encoding):
    given = read(tmp_path, "layer,unit,description\nc,0,café\n", encoding)
    assert texts(given) == {("c", 0): ("café",)}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_refused_with_the_line(tmp_path, encoding):
    with pytest.raises(UserError, match=r"theirs\.csv, line \d: not UTF-8; save the table as"):
        read(tmp_path, "layer,unit,description\nc,0,café\n", encoding)


def test_weights_make_a_linear_explanation(tmp_path):
    table = "layer,unit,description,weight\nc,0,dog,0.5\nc,0,cat,-1\nc,1,dog,3\nc,2,cat,-2\n"
    given = read(tmp_path, table)
    assert given.explanations["c", 0].weights == (0.5, -1)
    assert given.explanations["c", 1].weights == ()  # a positive factor changes no score
    assert given.explanations["c", 2].weights == (-2,)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("c,x,dog,1", "line 2: unit must be a number from 0, got 'x'"),
        ("c,-1,dog,1", "line 2: unit must be a number from 0, got '-1'"),
        ("c,0,dog,many", "line 2: weight must be a number, got 'many'"),
        ("c,0,dog,nan", "line 2: weight must be a number, got 'nan'"),
        ("c,0,dog,1\nc,0,cat,", "unit 0 has 2 texts and 1 weights"),
        ("c,0,dog", "line 2: expected 4 fields, got 3"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, f"layer,unit,description,weight\n{rows}\n")


def test_missing_columns_and_empty_tables_are_refused(tmp_path):
    with pytest.raises(UserError, match="missing column description"):
        read(tmp_path, "layer,unit,text\nc,0,dog\n")
    assert texts(read(tmp_path, "layer,unit,text\nc,0,dog\n", column="text"))
    with pytest.raises(UserError, match="holds no description"):
        read(tmp_path, "layer,unit,description\n")


def test_unknown_layers_and_units_are_named_with_the_nearest():
    there = [("layer3", 0), ("layer3", 1), ("layer4", 0)]
    keys = [("layer3", 1), ("layer3", 7), ("layr4", 0), ("layr4", 1)]
    first, second = unknown_units(keys, there)
    assert first == (
        "Layer 'layer3' has 2 units, numbered from 0; the table names 1 unit beyond, such as 7."
    )
    assert "no layer 'layr4' (2 units of the table); did you mean layer4 or layer3?" in second
    (alone,) = unknown_units([("fc", 0)], there)
    assert alone.endswith("(1 unit of the table); it has layer3, layer4.")


def test_texts_by_unit():
    given = from_mapping({("c", 0): "dog", ("c", 1): ["cat", "tiger"], ("c", 2): []})
    assert texts(given) == {("c", 0): ("dog",), ("c", 1): ("cat", "tiger"), ("c", 2): ()}
    assert given.rows == 4
