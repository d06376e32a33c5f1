"""Expressions: the grammar, and values against facts counted by hand."""

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.world.zoo.expressions import parse_expression
from milan_core.world.zoo.facts import Facts, Scene, Thing, draw_facts
from milan_core.zoo.units import planted_units

CIRCLE = Thing("circle", "red", "large", 0, 1, 10, 28)
SECOND = Thing("circle", "blue", "small", 2, 2, 50, 50)
SQUARE = Thing("square", "blue", "small", 1, 0, 30, 8)
SCENES = [
    Scene((CIRCLE, SQUARE), "dark", "plain", mark=False, number=0, seed=0),
    Scene((CIRCLE, SECOND), "light", "dots", mark=True, number=1, seed=0),
    Scene((SQUARE,), "medium", "grid", mark=False, number=2, seed=0),
]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("circle", [1, 1, 0]),
        ("blue circle", [0, 1, 0]),
        ("small blue thing", [1, 1, 1]),
        ("left circle", [1, 1, 0]),
        ("right circle", [0, 1, 0]),
        ("top thing", [1, 0, 1]),
        ("bottom thing", [0, 1, 0]),
        ("and(circle, square)", [1, 0, 0]),
        ("or(square, mark)", [1, 1, 1]),
        ("not(mark)", [1, 0, 1]),
        ("not(dark, light)", [0, 0, 1]),
        ("and(circle, not(square))", [0, 1, 0]),
        ("count(circle)", [1, 2, 0]),
        ("size(circle)", [2, 2, 0]),
        ("size(square)", [1, 0, 1]),
        ("minus(circle, square)", [0, 1, -1]),
        ("minus(light, dark)", [-1, 1, 0]),
        ("1", [1, 1, 1]),
        ("0", [0, 0, 0]),
    ],
)
def test_values(text, values):
    assert parse_expression(text).value(Facts(SCENES)).tolist() == values


def test_every_unit_reads_back():
    facts = Facts(draw_facts(50, 0))
    for unit in planted_units():
        again = parse_expression(str(unit.expression))
        assert again == unit.expression
        np.testing.assert_array_equal(again.value(facts), unit.expression.value(facts))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("blob", "'blob' is no size, place, color or shape"),
        ("red", "ends in no shape"),
        ("and(circle", "'and'|'and\\(circle'"),
        ("minus(circle)", "minus does not take these 1"),
        ("count(mark)", "count does not take these 1"),
        ("and(circle), star)", "brackets do not match"),
        ("", "no size, place, color or shape"),
    ],
)
def test_other_texts_are_refused(text, says):
    with pytest.raises(UserError, match=says):
        parse_expression(text)


def test_units_of_every_kind_have_words():
    units = planted_units()
    assert {unit.kind for unit in units} == {
        *("concept", "and", "or", "not", "and not", "graded", "signed"),
        *("position", "watermark", "duplicate", "constant", "dead"),
    }
    for unit in units:
        assert bool(unit.description) == (unit.kind != "dead")
        assert unit.description not in unit.paraphrases
        assert "None" not in " ".join((unit.description, *unit.paraphrases))
