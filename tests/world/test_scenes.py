"""Composed scenes: what the instance map says is what was painted; same spec, same bytes."""

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.core.seeding import generator
from milan_core.images.kinds.shapes import ShapesOptions
from milan_core.world.bank import Bank, Piece, split_portraits
from milan_core.world.scenes import TINTS, Composer, paste
from milan_core.world.shapes import ShapeArt


def build(out, seed=3, **options):
    return build_dataset(
        "w", {"kind": "shapes", "options": {"count": 40, **options}}, {}, out, seed
    )


def piece(height, width, alpha, value=200):
    pixels = np.full((height, width, 4), value, np.uint8)
    pixels[..., 3] = alpha
    return Piece(pixels, "grey")


def test_paste_blends_and_marks():
    image, things = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    paste(image, things, piece(2, 2, 255), 1, 1, 5)
    paste(image, things, piece(1, 1, 128, 100), 1, 1, 6)  # above one half: visible
    paste(image, things, piece(1, 1, 127, 0), 2, 2, 7)  # below: colours, does not count
    assert things.tolist() == [[0, 0, 0, 0], [0, 6, 5, 0], [0, 5, 5, 0], [0, 0, 0, 0]]
    assert image[1, 2].tolist() == [200, 200, 200]
    assert image[1, 1, 0] == (200 * 127 + 100 * 128 + 127) // 255
    assert image[2, 2, 0] == (200 * 128 + 127) // 255
    assert not image[0].any()


@pytest.mark.parametrize("spot", [(-1, -1), (3, 3), (-9, 0), (0, 9)])
def test_paste_clips(spot):
    image, things = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    paste(image, things, piece(2, 2, 255), *spot, 1)
    inside = [(y, x) for y in range(4) for x in range(4)
              if 0 <= y - spot[1] < 2 and 0 <= x - spot[0] < 2]  # fmt: skip
    assert {tuple(p) for p in np.argwhere(things)} == set(inside)
    assert ((image > 0).any(-1) == (things == 1)).all()


def test_scenes_and_maps_agree(tmp_path):
    found = build(tmp_path, count=200, p_text=0.5, p_face=0.5)
    kinds = set()
    for scene, things in zip(found.scenes, found.instances, strict=True):
        assert scene[0]["kind"] == "background"
        assert things.max() < len(scene)
        assert [t["kind"] for t in scene].count("main") == 1
        assert all(set(t) == {"kind", "name", "group", "colour"} for t in scene)
        kinds |= {t["kind"] for t in scene}
        last = len(scene) - 1
        assert (things == last).any()  # nothing was painted over the last thing
    assert kinds == {"background", "object", "main", "face", "text"}


def test_background_pixels_are_the_surface(tmp_path):
    found = build(tmp_path, surfaces=["plain"], p_text=0.0, p_face=0.0, distractors=0)
    for image, things in zip(found.images, found.instances, strict=True):
        flat = image[things == 0]
        commonest = np.unique(flat, axis=0, return_counts=True)
        assert commonest[1].max() > 0.9 * len(flat)


def test_labels(tmp_path):
    names = ["star", "ring", "heart"]
    found = build(tmp_path / "o", objects=names)
    mains = [next(t["name"] for t in s if t["kind"] == "main") for s in found.scenes]
    assert found.classes == names
    assert [names[i] for i in found.labels] == mains
    found = build(tmp_path / "s", label="surface", surfaces=["dots", "grid"])
    assert [found.classes[i] for i in found.labels] == [s[0]["name"] for s in found.scenes]
    assert set(found.labels.tolist()) == {0, 1}


def words(found):
    return [next((t["name"] for t in s if t["kind"] == "text"), None) for s in found.scenes]


def test_word_rules(tmp_path):
    names = ["star", "ring", "heart"]
    label = build(tmp_path / "l", objects=names, text="label", p_text=1.0)
    assert words(label) == [names[i] for i in label.labels]
    wrong = build(tmp_path / "w", objects=names, text="wrong", p_text=1.0)
    assert all(
        w in names and w != names[i] for w, i in zip(words(wrong), wrong.labels, strict=True)
    )
    some = build(tmp_path / "s", p_text=0.5, count=200)
    assert 70 < sum(w is not None for w in words(some)) < 130
    assert not any(words(build(tmp_path / "n", p_text=0.0)))


def test_words_are_all_that_differs(tmp_path):
    options = {"objects": ["star", "ring"], "noise": 10.0}
    none = build(tmp_path / "n", p_text=0.0, **options)
    wrong = build(tmp_path / "w", p_text=1.0, text="wrong", **options)
    assert none.labels.tolist() == wrong.labels.tolist()
    for i, scene in enumerate(wrong.scenes):
        assert scene[:-1] == none.scenes[i]
        outside = wrong.instances[i] != len(scene) - 1
        assert (none.instances[i] == wrong.instances[i])[outside].all()
    assert (none.images == wrong.images).mean() > 0.8


def test_lettering_is_shared_across_seeds(tmp_path):
    def looks(name, seed, lettering):
        options = {"objects": ["star"], "text": "label", "p_text": 1.0, "p_face": 0.0}
        found = build(tmp_path / name, seed=seed, lettering=lettering, count=80, **options)
        last = [found.instances[i] == len(s) - 1 for i, s in enumerate(found.scenes)]
        shapes = [tuple(np.ptp(np.argwhere(m), axis=0).tolist()) for m in last]
        inks = [s[-1]["colour"] for s in found.scenes]
        return set(zip(shapes, inks, strict=True))

    ours, shared, apart = looks("a", 1, 7), looks("b", 2, 7), looks("c", 2, -1)
    assert len(ours & shared) > len(ours & apart)
    assert looks("d", 7, -1) == looks("e", 7, 7)


def test_a_tint_changes_the_surface_only(tmp_path):
    options = {"objects": ["star", "ring", "heart"], "p_face": 0.0, "distractors": 0}
    plain = build(tmp_path / "p", **options)
    tinted = build(tmp_path / "t", p_tint=1.0, tint="label", **options)
    wrong = build(tmp_path / "w", p_tint=1.0, tint="wrong", **options)
    assert (plain.labels == tinted.labels).all()
    assert (plain.instances == np.asarray(tinted.instances)).all()
    assert (tinted.images != wrong.images).any((1, 2, 3)).all(), "a wrong tint is another colour"
    for i, label in enumerate(plain.labels.tolist()):
        surface = plain.instances[i] == 0
        # pixels under the soft rim of a sticker mix both
        expected = (plain.images[i].astype(int) + TINTS[label] + 1) // 2
        same = (expected == tinted.images[i]).all(-1)
        assert same[surface].mean() > 0.9
        assert not same[~surface].all()


def test_half_of_the_scenes_are_tinted(tmp_path):
    plain, half = (build(tmp_path / str(p), count=200, p_tint=p) for p in (0.0, 0.5))
    changed = (plain.images != half.images).any((1, 2, 3))
    assert 70 < changed.sum() < 130


def test_person_as_a_class(tmp_path):
    found = build(tmp_path, objects=["person", "star"], p_face=0.0, distractors=0, p_text=0.0)
    for label, scene in zip(found.labels, found.scenes, strict=True):
        assert [t["kind"] for t in scene][1:] == (["face"] if label == 0 else ["main"])


def test_nothing_as_a_class(tmp_path):
    found = build(tmp_path, objects=["nothing", "star"], p_face=0.0, p_text=0.0)
    assert found.classes == ["nothing", "star"]
    for label, scene in zip(found.labels, found.scenes, strict=True):
        kinds = [thing["kind"] for thing in scene]
        assert kinds[0] == "background"
        assert ("main" in kinds) == (label == 1)


def test_same_seed_same_bytes(tmp_path):
    one, two = build(tmp_path / "1"), build(tmp_path / "2")
    for file in ("images.npy", "instances.npy", "scenes.json", "labels.npy", "ids.csv"):
        assert (one.folder / file).read_bytes() == (two.folder / file).read_bytes()
    assert build(tmp_path / "3", seed=4).fingerprint != one.fingerprint


def test_scenes_do_not_depend_on_others(tmp_path):
    many, few = build(tmp_path / "1", count=30), build(tmp_path / "2", count=10)
    assert (many.images[:10] == few.images).all()
    bank = Bank(ShapeArt("solid"), ShapesOptions(), 3)
    made = Composer(bank).compose(29)
    assert (made.image == many.images[29]).all()
    assert (made.instances == many.instances[29]).all()
    assert made.scene == many.scenes[29]


def test_noise_changes_pixels_only(tmp_path):
    clean, noisy = build(tmp_path / "1"), build(tmp_path / "2", noise=20.0)
    assert (clean.instances == np.asarray(noisy.instances)).all()
    middle = (clean.images > 80) & (clean.images < 170)
    difference = (noisy.images.astype(int) - clean.images)[middle]
    assert abs(difference.mean()) < 0.5
    assert 18 < difference.std() < 22


def test_blur_changes_faces_only(tmp_path):
    sharp = build(tmp_path / "1", p_face=0.5)
    soft = build(tmp_path / "2", p_face=0.5, blur_faces=True)
    assert (sharp.instances == np.asarray(soft.instances)).all()
    changed = (sharp.images != soft.images).any((1, 2, 3))
    visible = [
        any(t["kind"] == "face" and (things == n).any() for n, t in enumerate(scene))
        for scene, things in zip(sharp.scenes, sharp.instances, strict=True)
    ]
    assert (changed == visible).all()
    banks = [Bank(ShapeArt("solid"), ShapesOptions(blur_faces=b), 3) for b in (False, True)]
    one, two = (bank.face(generator(0, "f")).pixels for bank in banks)
    assert (one[..., 3] == two[..., 3]).all()
    solid = one[..., 3] == 255
    assert one[solid].std(0)[0] > 1.5 * two[solid].std(0)[0]


def test_styles_are_twins(tmp_path):
    one, two = build(tmp_path / "1", style="solid"), build(tmp_path / "2", style="striped")
    names = [[[t["name"] for t in s] for s in d.scenes] for d in (one, two)]
    assert names[0] == names[1]
    assert (one.instances == np.asarray(two.instances)).all()
    assert (one.images != two.images).any()


def test_portrait_split_does_not_depend_on_the_seed():
    names = [f"p{i}" for i in range(81)]
    train, test = (split_portraits(names, part, 0) for part in ("train", "test"))
    assert (len(train), len(test)) == (62, 19)
    assert set(train) | set(test) == set(names)
    assert split_portraits(names[::-1], "train", 0) == train
    assert split_portraits(names, "train", 1) != train
    assert split_portraits(names, "all", 0) == sorted(names)


def test_other_sizes_scale_everything(tmp_path):
    small, large = (build(tmp_path / str(n), size=n, p_text=0.0) for n in (32, 128))
    shares = [(d.instances[:] > 0).mean() for d in (small, large)]
    assert abs(shares[0] - shares[1]) < 0.06
    assert large.images.shape == (40, 128, 128, 3)
