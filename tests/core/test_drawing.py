"""Figures: texts are texts."""

from milan_core.core.drawing import render


def test_a_dollar_in_a_title_is_no_mathematics():
    def draw(figure):
        figure.subplots().set_title(r"layer $\frac{ and $x_1$")

    assert r"layer $\frac{ and $x_1$" in render(draw, "x", (3, 2))
