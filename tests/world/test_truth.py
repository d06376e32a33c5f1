"""Concepts under masks: exact counts on a world made by hand."""

import csv

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.core.errors import UserError
from milan_core.images.kinds.shapes import ShapesOptions
from milan_core.images.writing import finish_folder, new_array, start_folder
from milan_core.world.concepts import ConceptTable
from milan_core.world.truth import HEADER, judge, truth_row, truth_rows, write_truth

S = 8


def thing(kind, name, group, colour):
    return {"kind": kind, "name": name, "group": group, "colour": colour}


@pytest.fixture
def world(tmp_path):
    """Four 8 x 8 scenes in quarters: a star, a ring, then text or a face on dots or a grid."""
    scenes, maps = [], np.zeros((4, S, S), np.uint8)
    for i, (ground, last) in enumerate(
        [("dots", "text"), ("dots", "face"), ("grid", "text"), ("grid", "face")]
    ):
        scenes.append(
            [
                thing("background", ground, "background", "grey"),
                thing("main", "star", "symbol", "red"),
                thing("object", "ring", "round", "blue"),
                thing(last, "star" if last == "text" else "face", "text", "white"),
            ]
        )
        maps[i, :4, 4:], maps[i, 4:, :4], maps[i, 4:, 4:] = 1, 2, 3
    start_folder(tmp_path)
    with (
        new_array(tmp_path / "images.npy", (4, S, S, 3), np.uint8),
        new_array(tmp_path / "instances.npy", (4, S, S), np.uint8) as instances,
    ):
        instances[:] = maps
    return finish_folder(
        tmp_path, name="w", kind="shapes", options=ShapesOptions(), seed=0, classes=["star"],
        labels=np.zeros(4, np.int64), names=["x"] * 4, credits=[], scenes=scenes,
    )  # fmt: skip


@pytest.fixture
def table(world):
    return ConceptTable(world)


def number(table, name, tier):
    return next(i for i, c in enumerate(table.concepts) if (c.name, c.tier) == (name, tier))


def square(*corners):
    """Masks (1, k, 8, 8): per exemplar a region given as two slices."""
    masks = np.zeros((1, len(corners), S, S), bool)
    for mask, (rows, columns) in zip(masks[0], corners, strict=True):
        mask[rows, columns] = True
    return masks


TOP, LOW = np.s_[:4], np.s_[4:]


def test_base_rates(table):
    base = {(c.name, c.tier): b for c, b in zip(table.concepts, table.base, strict=True)}
    assert base["star", "object"] == 0.25
    assert base["symbol", "group"] == 0.25
    assert base["object", "kind"] == 0.5
    assert base["dots", "surface"] == 0.125
    assert base["background", "kind"] == 0.25
    assert base["text", "text"] == base["face", "face"] == 0.125
    assert base["heart", "object"] == 0


def test_counts_by_leaf_and_colour(table):
    masks = square((TOP, LOW), (np.s_[2:6], np.s_[2:6]))
    counts = table.look(np.array([[0, 1]]), masks).counts[0]
    colour = table.lexicon.colours.index
    star, ring = number(table, "star", "object"), number(table, "ring", "object")
    assert counts[0, star, colour("red")] == 16
    assert counts[0].sum() == 16
    assert counts[1, star, colour("red")] == counts[1, ring, colour("blue")] == 4
    assert counts[1, number(table, "dots", "surface"), colour("grey")] == 4
    assert counts[1, number(table, "face", "face"), colour("white")] == 4


def test_coverage_and_support(table):
    masks = square((TOP, LOW), (TOP, np.s_[3:]), (np.s_[:1], np.s_[:4]))
    coverage, support = table.cover(table.look(np.array([[0, 1, 2]]), masks).counts[0])
    star, back = number(table, "star", "object"), number(table, "background", "kind")
    assert coverage[star] == pytest.approx(32 / 40)
    assert coverage[back] == pytest.approx(8 / 40)
    assert support[star] == 2
    assert support[back] == 1  # 4 of 20 pixels are no support in the second
    assert support[number(table, "grid", "surface")] == 1


def test_only_masked_pixels_count(table, world):
    masks = square((TOP, LOW), (np.s_[2:6], np.s_[2:6]))
    ids = np.array([[0, 1]])
    before = table.look(ids, masks)
    other = np.array(world.instances)
    for slot, image in enumerate(ids[0]):
        other[image][~masks[0, slot]] = 2
    table.instances = other
    after = table.look(ids, masks)
    assert (before.counts == after.counts).all()
    assert (before.edges == after.edges).all()


def test_edges_are_masked_pixels_beside_another_masked_thing(table):
    masks = square((np.s_[2:6], np.s_[2:6]), (TOP, LOW), (np.s_[:2], np.s_[3:5]))
    edges = table.look(np.array([[0, 0, 0]]), masks).edges
    assert edges.tolist() == [[12, 0, 4]]


def test_empty_slots_and_masks(table):
    evidence = table.look(np.array([[-1, 0]]), square((TOP, LOW), (np.s_[:0], TOP)))
    assert evidence.counts.sum() == 0
    row = truth_row(table, "l", 3, evidence.counts[0])
    assert row == ["l", 3, "nothing", "none", 0.0, 0, 0, "", "", 0.0]


def test_masks_of_another_size(table):
    large = square((TOP, LOW), (np.s_[2:6], np.s_[2:6])).repeat(3, 2).repeat(3, 3)
    ids = np.array([[0, 1]])
    small = table.look(ids, square((TOP, LOW), (np.s_[2:6], np.s_[2:6]))).counts
    assert (table.look(ids, large).counts == 9 * small).all()


def verdict_of(table, *regions, ids=None):
    masks = square(*regions)
    ids = np.zeros((1, len(regions)), int) if ids is None else np.array([ids])
    found = judge(table, table.look(ids, masks).counts[0])
    best = table.concepts[found.best]
    return best.name, best.tier if found.rank < 3 else "none", found


def test_tiers(table):
    star, ring, ground = (TOP, LOW), (LOW, TOP), (TOP, TOP)
    assert verdict_of(table, *[star] * 3)[:2] == ("star", "object")
    assert verdict_of(table, *[(LOW, LOW)] * 2, ids=[0, 2])[:2] == ("text", "text")
    assert verdict_of(table, *[(LOW, LOW)] * 2, ids=[1, 3])[:2] == ("face", "face")
    assert verdict_of(table, *[ground] * 3)[:2] == ("dots", "surface")
    found = verdict_of(table, star, ring, (np.s_[4:7], TOP), (np.s_[:3], LOW))[2]
    assert found.coverage[number(table, "star", "object")] == 0.5
    half = verdict_of(table, *[ground] * 4, ids=[0, 0, 2, 2])
    assert half[:2] == ("background", "kind")  # two of four images are not 8 of 15
    assert not half[2].specific
    mixed = verdict_of(table, star, ring, ground, (LOW, LOW))
    assert mixed[1] == "none"


def test_support_scales_with_k(table):
    star, other = (TOP, LOW), (np.s_[4:6], np.s_[:2])
    for k, least in ((15, 8), (5, 3), (1, 1)):
        enough = verdict_of(table, *[star] * least, *[other] * (k - least))
        assert enough[0] == "star"
        assert enough[2].specific
        if least > 1:
            short = verdict_of(table, *[star] * (least - 1), *[other] * (k - least + 1))
            assert short[2].rank > 0


def test_second_best(table):
    found = verdict_of(table, *[(TOP, np.s_[3:])] * 3, ids=[0, 1, 2])[2]
    assert table.concepts[found.second].name in ("dots", "grid", "star")
    assert table.concepts[found.best].name == "star"
    assert found.second != found.best


def test_table_file(table, tmp_path):
    masks = np.concatenate([square((TOP, LOW)), square((np.s_[:0], TOP))])
    rows = truth_rows(table, [("conv1", np.array([4, 5]), np.array([[0], [1]]), masks)])
    write_truth(tmp_path / "truth.csv", rows)
    with (tmp_path / "truth.csv").open() as handle:
        read = list(csv.DictReader(handle))
    assert tuple(read[0]) == HEADER
    assert read[0]["accept"] == "star;stars;starburst;starbursts"
    assert [(r["unit"], r["concept"], r["specific"]) for r in read] == [
        ("4", "star", "1"),
        ("5", "nothing", "0"),
    ]


def test_mistakes(table, tmp_path):
    with pytest.raises(UserError, match="exemplar id 9 is not in the dataset of 4 images"):
        table.look(np.array([[9]]), square((TOP, LOW)))
    with pytest.raises(ValueError, match="masks must be"):
        table.look(np.array([[0, 1]]), square((TOP, LOW)))
    np.save(tmp_path / "x.npy", np.zeros((2, 8, 8, 3), np.uint8))
    spec = {"kind": "arrays", "path": str(tmp_path / "x.npy")}
    plain = build_dataset("plain", spec, {}, tmp_path / "plain", 0)
    with pytest.raises(UserError, match="ground truth needs a dataset of kind stickers or shapes"):
        ConceptTable(plain)
