"""The programmatic annotators: honest, different from each other, and repeatable."""

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.annotations.programmatic import annotate_network
from milan_core.scoring.words import names_concept
from milan_core.world.annotators import ANNOTATORS, agreement, annotate, token_f1
from milan_core.world.concepts import ConceptTable

K = 15


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world")
    spec = {"kind": "shapes", "count": 600, "p_text": 0.4, "p_face": 0.4}
    return build_dataset("w", spec, {}, out, 1)


@pytest.fixture(scope="module")
def table(world):
    return ConceptTable(world)


def places(world, wanted):
    """(image, instance) of every thing that fits and shows at least 20 pixels."""
    return [
        (image, i)
        for image, scene in enumerate(world.scenes)
        for i, thing in enumerate(scene)
        if wanted(thing) and (world.instances[image] == i).sum() >= 20
    ]


def unit(world, spots, grow=0, start=0):
    """ids (1, K) and masks (1, K, 64, 64) of a unit that fires on given things."""
    chosen = [spots[(start + i) % len(spots)] for i in range(K)]
    ids = np.array([[image for image, _ in chosen]])
    masks = np.stack([world.instances[image] == i for image, i in chosen])[None]
    for _ in range(grow):
        masks = masks | np.roll(masks, 1, 2) | np.roll(masks, 1, 3)
    return ids, masks


def describe(table, ids, masks, seed=0, network="net", layer="l", number=0):
    evidence = table.look(ids, masks)
    rows = annotate(table, evidence, np.array([number]), seed=seed, network=network, layer=layer)
    return [row[2] for row in rows]


def many(table, ids, masks, count=60):
    return [describe(table, ids, masks, number=n) for n in range(count)]


@pytest.mark.parametrize("name", ["star", "triangle", "ring"])
def test_an_object_is_named(world, table, name):
    ids, masks = unit(world, places(world, lambda t: t["name"] == name and t["kind"] == "main"))
    accept = table.lexicon.accepted(name)
    named = np.array([[names_concept(s, accept) for s in d] for d in many(table, ids, masks)])
    assert (named.sum(1) >= 2).mean() > 0.8
    assert named.mean(0).min() > 0.5


@pytest.mark.parametrize("kind", ["text", "face"])
def test_text_and_faces_are_named(world, table, kind):
    ids, masks = unit(world, places(world, lambda t: t["kind"] == kind))
    named = [
        [names_concept(s, table.lexicon.accepted(kind)) for s in d] for d in many(table, ids, masks)
    ]
    assert np.mean(named) > 0.8


def test_a_surface_is_named(world, table):
    ids, masks = unit(world, places(world, lambda t: t["name"] == "checks"))
    accept = table.lexicon.accepted("checks")
    named = [[names_concept(s, accept) for s in d] for d in many(table, ids, masks)]
    assert np.mean(named) > 0.8


def test_a_super_class_is_named(world, table):
    spots = places(world, lambda t: t["group"] == "polygon" and t["kind"] == "main")
    ids, masks = unit(world, spots)
    accept = table.lexicon.accepted("polygon")
    named = [names_concept(d[1], accept) for d in many(table, ids, masks)]
    assert np.mean(named) > 0.7


def test_habits_differ(world, table):
    ids, masks = unit(
        world, places(world, lambda t: t["name"] == "star" and t["kind"] == "main"), grow=4
    )
    a, b, c = zip(*many(table, ids, masks), strict=True)
    assert np.mean(["symbols" in s or "signs" in s for s in b]) > 0.6
    assert not any("symbols" in s for s in (*a, *c))
    assert len(set(a)) > 3  # synonyms and number
    assert len(set(b)) > 3


def test_colour_is_that_of_the_pixels(world, table):
    spots = places(world, lambda t: t["name"] == "star" and t["colour"] == "red")
    ids, masks = unit(world, spots)
    said = [d[1] for d in many(table, ids, masks)]
    assert np.mean(["red" in s.split() for s in said]) > 0.7
    assert not any("blue" in s.split() for s in said)


def test_the_place_is_said_only_when_the_masks_show_it(world, table):
    spots = places(
        world,
        lambda t: t["name"] in ("star", "ring") and t["kind"] == "main",
    )
    spots = [(i, n) for i, n in spots if world.scenes[i][0]["name"] == "checks"]
    accept = table.lexicon.accepted("checks")
    tight = [d[2] for d in many(table, *unit(world, spots))]
    loose = [d[2] for d in many(table, *unit(world, spots, grow=8))]
    assert not any(names_concept(s, accept) for s in tight)
    assert np.mean([names_concept(s, accept) for s in loose]) > 0.5


def test_pixels_outside_the_masks_are_never_seen(world, table):
    ids, masks = unit(world, places(world, lambda t: t["name"] == "star"), grow=2)
    before = many(table, ids, masks, 10)
    other = np.array(world.instances)
    seen = np.zeros(other.shape, bool)
    for image, mask in zip(ids[0], masks[0], strict=True):
        seen[image] |= mask
    other[~seen] = 1
    blind = ConceptTable(world)
    blind.instances = other
    assert many(blind, ids, masks, 10) == before


def test_dead_units(table):
    ids, masks = np.full((1, K), -1), np.zeros((1, K, 64, 64), bool)
    assert describe(table, ids, masks) == ["nothing"] * 3


def test_vague_units_claim_nothing_specific(world, table):
    rng = np.random.default_rng(0)
    ids = rng.choice(len(world), (1, K), replace=False)
    masks = np.zeros((1, K, 64, 64), bool)
    for mask in masks[0]:
        y, x = rng.integers(0, 60, 2)
        mask[y : y + 4, x : x + 4] = True
    said = [s for d in many(table, ids, masks, 20) for s in d]
    assert "nothing" not in said
    assert len(set(said)) > 3


def test_edges(world, table):
    ids, masks = unit(world, places(world, lambda t: t["kind"] == "main"))
    shifted = masks ^ np.roll(masks, 1, 3)
    rim = shifted | np.roll(shifted, -1, 3)
    said = [s for d in many(table, ids, rim, 20) for s in (d[0], d[2])]
    assert np.mean([s.startswith(("edges", "outlines")) for s in said]) > 0.5


def test_seeds(world, table):
    ids, masks = unit(world, places(world, lambda t: t["name"] == "star"), grow=3)
    assert describe(table, ids, masks) == describe(table, ids, masks)
    variants = [
        describe(table, ids, masks, **change)
        for change in (
            *({"number": n} for n in range(5)), *({"seed": n} for n in range(1, 5)),
            {"network": "other"}, {"layer": "other"},
        )
    ]  # fmt: skip
    assert len({tuple(v) for v in variants}) > 7


class Exemplars:
    """The part of `ExemplarSet` that annotation uses."""

    def __init__(self, parts):
        self.parts = parts
        self.layers = list(parts)

    def ids(self, layer):
        return self.parts[layer][0]

    def masks(self, layer, size, *, units):
        assert size == 64
        return self.parts[layer][1][units]


def exemplars(world, count=80):
    names = ["star", "ring", "checks", "heart", "face", "dots", "square", "text"]
    parts = [
        unit(
            world,
            places(world, lambda t, n=names[i % 8]: n in (t["name"], t["kind"])),
            grow=i % 5,
            start=i,
        )
        for i in range(count)
    ]
    ids, masks = (np.concatenate(p) for p in zip(*parts, strict=True))
    half = count // 2
    return Exemplars({"a": (ids[:half], masks[:half]), "b": (ids[half:], masks[half:])})


def test_a_whole_network(world):
    annotations = annotate_network(exemplars(world), world, "net", 0)
    assert len(annotations.truth) == 80
    assert len(annotations.rows) == 240
    assert [annotator for *_, annotator in annotations.rows[:3]] == list(ANNOTATORS)
    facts = annotations.facts()
    assert facts["specific"] == sum(int(row[6]) for row in annotations.truth) > 40
    measured = facts["agreement"]
    assert measured["shuffled_token_f1"] < measured["token_f1"] < 1
    assert measured["shuffled_identical"] <= measured["identical"] < 0.5
    assert all(text == text.lower().strip() != "" for _, _, text, _ in annotations.rows)


def test_units_do_not_depend_on_order_or_company(world, monkeypatch):
    whole = exemplars(world, 20)
    one = annotate_network(whole, world, "net", 0)
    monkeypatch.setattr("milan_core.annotations.programmatic.CHUNK", 3)
    backwards = Exemplars({name: whole.parts[name] for name in ("b", "a")})
    two = annotate_network(backwards, world, "net", 0)
    assert sorted(one.rows) == sorted(two.rows)
    assert sorted(map(str, one.truth)) == sorted(map(str, two.truth))


def test_agreement_by_hand():
    table = [
        ("l", 0, "red dogs", "x"), ("l", 0, "red dogs", "y"), ("l", 0, "cats", "z"),
        ("l", 1, "grass", "x"), ("l", 1, "green grass", "y"), ("l", 1, "grass", "z"),
    ]  # fmt: skip
    found = agreement(table)
    assert found["identical"] == pytest.approx(2 / 6)
    assert found["token_f1"] == pytest.approx((1 + 0 + 0 + 2 / 3 + 1 + 2 / 3) / 6)
    assert found["shuffled_token_f1"] == 0
    assert (found["units"], found["annotations"], found["distinct"]) == (2, 6, 4)
    assert found["vocabulary"] == 5
    assert token_f1("a a b", "a c") == pytest.approx(2 / 5)
    assert agreement([])["token_f1"] == 0


def test_vocabulary_size():
    from milan_core.world.lexicon import load_lexicon

    lexicon = load_lexicon("stickers")
    tables = (lexicon.objects, lexicon.surfaces, lexicon.groups, lexicon.common)
    words = {w for t in tables for e in t.values() for p in e.accepted for w in p.split()}
    assert 250 < len(words) < 350
