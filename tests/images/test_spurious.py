"""Spurious cues: exact shares, what they say, and not a pixel beside their boxes."""

import csv
from collections import Counter

import numpy as np
import pytest
from datasets_made import build_dataset
from PIL import Image

from milan_core.core.errors import UserError

CLASSES = ["n01", "n02", "n03", "n04"]
WORDS = ["ship", "tabby", "truck", "finch"]
COUNT = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("imagenet")
    rng = np.random.default_rng(0)
    for label in CLASSES:
        (root / label).mkdir()
        for number in range(COUNT + 5):
            image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / label / f"{number:02}.png")
    return root


def build(folder, out, seed=1, **options):
    spec = {"path": str(folder), "classes": CLASSES, "words": WORDS, "size": 64}
    spec |= {"per_class": COUNT, "font_size": 12, "margin": 3, **options}
    return build_dataset("set", {"kind": "spurious", "options": spec}, {}, out, seed)


def cues(found):
    with (found.folder / "cues.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def changed(one, other):
    return (one.images != other.images).any(-1)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5, 1.0])
def test_shares_are_exact_in_every_class(folder, tmp_path, share):
    found = build(folder, tmp_path, share=share)
    carriers = Counter(row["label"] for row in cues(found) if row["says"])
    assert carriers == {label: n for label in CLASSES if (n := round(share * COUNT))}
    own = dict(zip(CLASSES, WORDS, strict=True))
    assert all(row["says"] in ("", own[row["label"]]) for row in cues(found))


def test_versions_are_twins_and_nothing_beside_the_box_changes(folder, tmp_path):
    plain = build(folder, tmp_path / "0", share=0.0)
    some, half = (build(folder, tmp_path / str(s), share=s) for s in (0.1, 0.5))
    assert plain.names == some.names == half.names
    carriers = [{row["id"] for row in cues(found) if row["says"]} for found in (some, half)]
    assert carriers[0] < carriers[1]
    for row, difference in zip(cues(half), changed(plain, half), strict=True):
        if not row["says"]:
            assert not difference.any()
            continue
        left, top, right, bottom = (int(row[k]) for k in ("left", "top", "right", "bottom"))
        assert difference[top:bottom, left:right].mean() > 0.5
        difference[top:bottom, left:right] = False
        assert not difference.any()


def test_wrong_and_random_words_are_dealt_evenly(folder, tmp_path):
    wrong = cues(build(folder, tmp_path / "wrong", share=1.0, says="wrong", per_class=18))
    own = dict(zip(CLASSES, WORDS, strict=True))
    assert all(row["says"] not in ("", own[row["label"]]) for row in wrong)
    assert set(Counter((row["label"], row["says"]) for row in wrong).values()) == {6}
    anything = cues(build(folder, tmp_path / "random", share=1.0, says="random"))
    counts = Counter((row["label"], row["says"]) for row in anything)
    assert set(counts.values()) == {5}
    assert len(counts) == 16


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_corner(folder, tmp_path, corner):
    found = build(folder, tmp_path, share=1.0, corner=corner)
    for row in cues(found):
        edges = {"left": int(row["left"]), "top": int(row["top"])}
        edges |= {"right": 64 - int(row["right"]), "bottom": 64 - int(row["bottom"])}
        assert [edges[side] for side in corner.split("-")] == [3, 3]


def test_the_colour_family(folder, tmp_path):
    found = build(folder, tmp_path, share=1.0, cue="colour")
    assert {row["says"] for row in cues(found)} == {"red", "yellow", "green", "blue"}
    inked = {row["label"]: found.images[int(row["id"]), 3:15, 3:15] for row in cues(found)}
    assert (inked["n01"] == [255, 0, 0]).all()
    assert (inked["n04"] == [0, 0, 255]).all()


def test_offsets_share_no_image_and_seeds_choose_others(folder, tmp_path):
    first = build(folder, tmp_path / "a", per_class=10)
    second = build(folder, tmp_path / "b", per_class=10, offset=10)
    assert not set(first.names) & set(second.names)
    assert build(folder, tmp_path / "c", per_class=10, seed=2).names != first.names


def test_the_same_spec_gives_the_same_bytes_and_other_cues_another_identity(folder, tmp_path):
    one = build(folder, tmp_path / "a")
    assert build(folder, tmp_path / "b").fingerprint == one.fingerprint
    assert "cues.csv" in one.manifest["files"]
    assert build(folder, tmp_path / "c", colour="#ff8000").fingerprint != one.fingerprint
    one.verify()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": ["n01", "n99"], "words": []}, "unknown class folder 'n99'"),
        ({"classes": ["n01"], "words": []}, "classes: list should have at least 2 items"),
        ({"words": ["ship"]}, "4 different words"),
        ({"per_class": 30}, "holds 25 images of class n01, offset \\+ per_class asks for 30"),
        ({"font_size": 60}, "takes .* pixels, the image has 58"),
        ({"font": "Papyrus.ttf"}, "no font 'Papyrus.ttf'.*DejaVuSans-Bold.ttf"),
        ({"colour": "reddish"}, "options.colour: unknown color 'reddish'"),
        ({"corner": "middle"}, "corner: input should be"),
        ({"on_error": "skip"}, "on_error: input should be 'stop'"),
        ({"share": 1.5}, "share: input should be less than or equal to 1"),
    ],
)
def test_mistakes_are_sentences(folder, tmp_path, options, words):
    with pytest.raises(UserError, match=words):
        build(folder, tmp_path, **options)
    assert not (tmp_path / "manifest.json").exists()


def test_a_flat_folder_with_its_list_gives_the_same_set(folder, tmp_path):
    """Validation images as they are published: one folder, and a list of classes beside it."""
    flat, rows = tmp_path / "imagenet/val", ["ImageId,PredictionString"]
    flat.mkdir(parents=True)
    sorted_in = tmp_path / "sorted/val"
    for number, path in enumerate(sorted(folder.glob("*/*.png"), key=lambda p: p.name)):
        name = f"ILSVRC2012_val_{number:08d}"
        (sorted_in / path.parent.name).mkdir(parents=True, exist_ok=True)
        for place in (flat, sorted_in / path.parent.name):
            (place / f"{name}.JPEG").write_bytes(path.read_bytes())
        rows.append(f"{name},{path.parent.name} 1 2 3 4")
    with pytest.raises(UserError, match="one flat folder, so a list must say the class"):
        build(flat, tmp_path / "without")
    (flat.parent / "LOC_val_solution.csv").write_text("\n".join(rows))
    found = build(flat, tmp_path / "a", share=0.5)
    expected = build(sorted_in, tmp_path / "b", share=0.5)
    assert found.names == expected.names
    assert (found.images == expected.images).all()
    assert cues(found) == cues(expected)
    with pytest.raises(UserError, match="unknown class 'n99'"):
        build(flat, tmp_path / "c", classes=["n01", "n99"], words=[])
