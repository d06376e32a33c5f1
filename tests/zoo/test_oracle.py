"""The zoo's oracle reads English against facts as the expressions say."""

import numpy as np
import pytest

from milan_core.referee.judges.zoo import ZooOracle
from milan_core.world.zoo.expressions import Graded, Minus, Number, parse_expression
from milan_core.world.zoo.facts import Facts, draw_facts
from milan_core.zoo.units import planted_units

SCENES = draw_facts(400, 5)
FACTS = Facts(SCENES)
ORACLE = ZooOracle(SCENES)


def scaled(expression):
    """The expression's value as a presence from 0 to 1."""
    value = expression.value(FACTS)
    if isinstance(expression, Graded):
        return value / {"count": 4, "size": 2}[expression.how]
    return (1 + value) / 2 if isinstance(expression, Minus) else value


def test_the_words_of_every_unit_mean_its_expression():
    """Descriptions and paraphrases; "A and B" alone is read as either, as annotators write it."""
    for unit in planted_units():
        texts = [text for text in (unit.description, *unit.paraphrases) if text]
        for text, column in zip(texts, ORACLE.presence(texts).T, strict=True):
            np.testing.assert_allclose(column, scaled(unit.expression), err_msg=text)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("Large red circles.", "large red circle"),
        ("a big black star on the left", "large left black star"),
        ("red left circles", "left red circle"),
        ("discs", "circle"),
        ("red", "red thing"),
        ("red areas", "red thing"),
        ("shapes at the bottom", "bottom thing"),
        ("text", "mark"),
        ("pictures without hearts or stars", "not(heart, star)"),
        ("((circle OR red) AND (NOT dark background))", "and(or(circle, red thing), not(dark))"),
        ("circle AND red", "and(circle, red thing)"),
        ("NOT circle", "not(circle)"),
        ("both circles and red areas", "and(circle, red thing)"),
    ],
)
def test_texts(text, means):
    np.testing.assert_array_equal(
        ORACLE.presence([text])[:, 0], parse_expression(means).value(FACTS)
    )


@pytest.mark.parametrize("text", ["", "dogs", "number of dogs", "(circle AND", "AND", "circle) OR"])
def test_what_it_cannot_read_is_undefined(text):
    assert np.isnan(ORACLE.presence([text])).all()


def test_any_scene_is_always_there():
    assert (ORACLE.presence(["any scene"]) == 1).all()
    assert isinstance(parse_expression("1"), Number)
