"""Scenes of the zoo: facts by number, pixels that show the facts exactly, twins."""

import dataclasses
from itertools import combinations, product

import numpy as np
import pytest

from milan_core.world.zoo.drawing import GROUNDS, MARK_PAINT, PAINTS, boxed, draw, glyph
from milan_core.world.zoo.facts import (
    ATTRIBUTES,
    RADIUS,
    SHAPES,
    SIZES,
    Facts,
    draw_facts,
    draw_scene,
    twin,
)


def test_a_scene_depends_on_its_number_and_the_seed_only():
    assert draw_scene(7, 0) == draw_facts(9, 0)[7]
    assert draw_scene(7, 0) != draw_scene(7, 1)
    np.testing.assert_array_equal(draw(draw_scene(7, 0)), draw(draw_facts(9, 0)[7]))


def test_colors_grounds_and_rims_are_disjoint():
    paints = [*PAINTS.values(), MARK_PAINT]
    rims = [tuple(value // 2 for value in paint) for paint in PAINTS.values()]
    assert len({*paints, *rims}) == len(paints) + len(rims)
    for color, (low, high) in product(paints + rims, GROUNDS.values()):
        assert not all(low <= value <= high for value in color)
    for one, other in combinations(GROUNDS.values(), 2):
        assert one[1] < other[0] or other[1] < one[0]


def test_glyphs_differ():
    for size in SIZES:
        for one, other in combinations(SHAPES, 2):
            assert (glyph(one, size) != glyph(other, size)).sum() >= 6


def test_every_pixel_is_what_the_facts_say():
    for scene in draw_facts(40, 3):
        image = draw(scene)
        left = np.ones(image.shape[:2], bool)
        for thing in scene.things:
            radius = RADIUS[thing.size]
            box = np.s_[
                thing.y - radius : thing.y + radius + 1, thing.x - radius : thing.x + radius + 1
            ]
            inside, rim = boxed(thing.shape, thing.size)
            assert (image[box][inside] == PAINTS[thing.color]).all()
            assert left[box].all(), "boxes of things do not overlap"
            left[box] = ~(inside | rim)
            assert (thing.x % 2, thing.y % 2) == (0, 0)
        mark = (image == MARK_PAINT).all(-1)
        assert mark.any() == scene.mark
        assert not (mark & ~left).any()
        low, high = GROUNDS[scene.tone]
        ground = image[left & ~mark]
        assert ((ground >= low) & (ground <= high)).all()


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_twins_differ_in_one_attribute(attribute):
    changed = 0
    for scene in draw_facts(30, 0):
        other = twin(scene, attribute)
        differing = {
            field.name
            for field in dataclasses.fields(scene)
            if getattr(scene, field.name) != getattr(other, field.name)
        }
        if attribute in ("tone", "surface", "mark"):
            assert differing == {attribute}
        else:
            assert differing <= {"things"}
        changed += bool(differing)
        if attribute in ("shape", "color", "size") and differing:
            one, two = (dataclasses.asdict(s.things[0]) for s in (scene, other))
            fields = {name for name in one if one[name] != two[name]}
            assert fields - {"x", "y"} == {attribute}
            assert scene.things[1:] == other.things[1:]
    assert changed >= 28


def test_tints_of_twins_are_the_same():
    scene = draw_scene(0, 0)
    first, second = draw(scene), draw(twin(scene, "mark"))
    assert 0 < (first != second).any(-1).sum() < 60


def test_a_watermark_keeps_company_with_hearts():
    facts = Facts(draw_facts(2000, 0))
    hearts = (facts.shape == SHAPES.index("heart")).any(1)
    assert facts.mark[hearts].mean() == pytest.approx(0.6, abs=0.05)
    assert facts.mark[~hearts].mean() == pytest.approx(0.1, abs=0.03)
