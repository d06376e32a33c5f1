"""Published annotation sets open as published: counts, order, names, units."""

import os

import numpy as np
import pytest

from milan_core.annotations import groups, layers
from milan_core.annotations.released import open_set, open_sets
from milan_core.core.errors import UserError

K, SIDE = 3, 12


def make_layer(folder, units=4, images=True, numbers=None, seed=0):
    """A layer's folder with random masks; returns them, bool (units, K, SIDE, SIDE)."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    masks = rng.random((units, K, 1, SIDE, SIDE)) < 0.3
    np.save(folder / "masks.npy", masks.astype(np.uint8))
    ids = np.arange(units * K).reshape(units, K) % 7
    (folder / "ids.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in ids))
    if images:
        pixels = rng.integers(0, 256, (units, K, 3, SIDE, SIDE), dtype=np.uint8)
        np.save(folder / "images.npy", pixels)
    if numbers is not None:
        np.save(folder / "units.npy", np.array(numbers))
    return masks[:, :, 0]


def write_table(folder, rows):
    text = "".join(f"{layer},{unit},{summary}\n" for layer, unit, summary in rows)
    (folder / "annotations.csv").write_text("layer,unit,summary\n" + text)


ROWS = [
    ("7", 1, "b one"), ("conv1", 2, "a one"), ("7", 1, "b two"), ("conv1", 2, "a two"),
    ("conv1", 2, "a three"), ("conv1", 0, "short"), ("7", 1, "b three"), ("conv1", 2, "a four"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "alexnet" / "imagenet"
    make_layer(root / "conv1")
    make_layer(root / "7", seed=1, images=False)
    write_table(root, ROWS)
    return root


def test_count_drops_cuts_and_keeps_the_order_of_the_file(folder):
    found = open_set(folder)
    assert found.units == [("7", 1), ("conv1", 2)]
    assert [unit.annotations for unit in found] == [
        ("b one", "b two", "b three"),
        ("a one", "a two", "a three"),
    ]
    assert open_set(folder, 4).units == [("conv1", 2)]
    assert open_set(folder, 1).units == [("7", 1), ("conv1", 2), ("conv1", 0)]
    assert found[1].unit == 2
    assert [unit.layer for unit in found[:2]] == ["7", "conv1"]


def test_without_a_count_all_units_come_sorted_by_text(tmp_path):
    for name in ("blocks.2", "blocks.10"):
        make_layer(tmp_path / name, units=2)
    write_table(tmp_path, [("blocks.2", 1, "x")])
    found = open_set(tmp_path, None)
    assert found.units == [("blocks.10", 0), ("blocks.10", 1), ("blocks.2", 0), ("blocks.2", 1)]
    assert [unit.annotations for unit in found] == [(), (), (), ("x",)]
    (tmp_path / "annotations.csv").unlink()
    assert len(open_set(tmp_path, None)) == 4
    with pytest.raises(UserError, match="annotation_count=None opens images and masks"):
        open_set(tmp_path)


def test_digit_layers_keep_their_annotations_without_a_count(folder):
    """Spec 6.2-19: such names were read as numbers and matched nothing."""
    assert open_set(folder, None).unit("7", 1).annotations == ("b one", "b two", "b three")


def test_units_npy_decides_the_row(tmp_path):
    """Spec 6.2-19: unit numbers were used as rows."""
    masks = make_layer(tmp_path / "fc", units=3, numbers=[40, 8, 5])
    write_table(tmp_path, [("fc", 8, "seen")])
    found = open_set(tmp_path, 1)
    unit = found.unit("fc", 8)
    assert np.array_equal(unit.masks, masks[1])
    assert unit.ids.tolist() == [3, 4, 5]
    assert unit.annotations == ("seen",)
    assert open_set(tmp_path, None).units == [("fc", 5), ("fc", 8), ("fc", 40)]
    with pytest.raises(UserError, match=r"no unit 1; .* 3 units between 5 and 40"):
        found.unit("fc", 1)


def test_arrays_are_the_stored_ones(folder):
    unit = open_set(folder).unit("conv1", 3)
    assert unit.images.dtype == np.uint8
    assert np.array_equal(unit.images, np.load(folder / "conv1/images.npy")[3])
    assert np.array_equal(unit.masks, np.load(folder / "conv1/masks.npy")[3, :, 0] > 0)
    assert unit.packed.shape == (K, SIDE, 2)
    with pytest.raises(ValueError, match="read-only"):
        unit.images[0] = 0
    with pytest.raises(UserError, match="milan annotations merge"):
        _ = open_set(folder).unit("7", 0).images


def test_packed_copy(folder):
    before = [unit.masks for unit in open_set(folder, None)]
    found = open_set(folder, None)
    found.pack()
    again = open_set(folder, None)
    for opened in (found, again):
        assert all(layer.is_packed for layer in opened.layers.values())
        assert all(np.array_equal(a, b.masks) for a, b in zip(before, opened, strict=True))
    (folder / "conv1/masks.npy").unlink()  # the copy is enough
    assert np.array_equal(open_set(folder, None).unit("conv1", 0).masks, before[4])


def test_packed_copy_of_other_masks_does_not_count(folder):
    open_set(folder).pack()
    copy = folder / "conv1" / layers.PACKED
    np.save(folder / "conv1/masks.npy", np.ones((4, K, 1, SIDE, SIDE), np.uint8))
    assert open_set(folder).unit("conv1", 1).masks.all()
    copy.touch()  # newer, yet of other masks
    copy.with_name("masks.packed.json").touch()
    found = open_set(folder)
    assert not found.layers["conv1"].is_packed
    assert found.layers["7"].is_packed
    assert found.unit("conv1", 1).masks.all()
    found.pack()
    assert open_set(folder).layers["conv1"].is_packed
    copy.write_bytes(copy.read_bytes()[:-1])
    assert not open_set(folder).layers["conv1"].is_packed


@pytest.mark.parametrize("unit", range(4))
def test_packed_copy_is_of_every_row(folder, unit):
    """One row of the masks is replaced, size and time kept: 0.1.0 looked at three rows."""
    open_set(folder).pack()
    source = folder / "conv1/masks.npy"
    stat, masks = source.stat(), np.load(source)
    masks[unit] = 1 - masks[unit]
    np.save(source, masks)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    opened = open_set(folder, None)
    assert not opened.layers["conv1"].is_packed
    assert np.array_equal(opened.unit("conv1", unit).masks, masks[unit, :, 0] != 0)


def test_a_damaged_packed_copy_does_not_count(folder):
    open_set(folder).pack()
    copy = folder / "conv1" / layers.PACKED
    data = bytearray(copy.read_bytes())
    data[-3] ^= 4
    copy.write_bytes(data)
    assert not open_set(folder).layers["conv1"].is_packed
    (folder / "conv1/masks.npy").unlink()
    with pytest.raises(UserError, match=r"masks.packed.npy is damaged.*get the set again"):
        open_set(folder)


def test_mistakes_are_named(folder):
    cases = [
        ("conv9,0,x\n", "unknown layer 'conv9'.*did you mean 'conv1'"),
        ("conv1,4,x\n", "has no unit 4"),
        ("conv1,one,x\n", "line 2: unit must be a number from 0, got 'one'"),
        ("conv1,-1,x\n", "line 2: unit must be"),
        (f"conv1,{'9' * 5000},x\n", "line 2: unit must be"),
        ("conv1,1\n", "line 2: expected 3 fields"),
        ('conv1,1,"x\n', "not a CSV table"),
    ]
    for text, message in cases:
        (folder / "annotations.csv").write_text("layer,unit,summary\n" + text)
        with pytest.raises(UserError, match=message):
            open_set(folder)
    (folder / "annotations.csv").write_bytes(b"layer,unit,summary\nconv1,1,\xff\n")
    with pytest.raises(UserError, match="UTF-8"):
        open_set(folder)
    (folder / "annotations.csv").write_text("layer,unit\n")
    with pytest.raises(UserError, match="missing column summary"):
        open_set(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("ids.csv", b"", "ids.csv is damaged or not a table of numbers .the file is empty"),
        ("ids.csv", b"1,2\n3\n", "not a table of numbers"),
        ("ids.csv", b"1,2\n3,4", "its last line has no end, so it may have been cut"),
        ("ids.csv", b"1,2,3\n", r"masks.npy: expected uint8 \(1, 3, 1, S, S\), got"),
        ("masks.npy", b"nothing", "not a readable .npy array"),
        ("units.npy", np.arange(3), "expected 4 different unit numbers"),
        ("units.npy", np.zeros(4, int), "expected 4 different unit numbers"),
        ("images.npy", np.zeros((4, K, 3, 5, 5), np.uint8), r"expected uint8 \(4, 3, 3, 12, 12\)"),
        ("masks.npy", np.zeros((4, K, 1, SIDE, 8), np.uint8), "masks must be square"),
        ("masks.npy", np.zeros((4, K, 1, SIDE, SIDE), np.float32), "got float32"),
        ("masks.npy", np.array([{}]), "it holds object, expected numbers"),
        ("activations.csv", b"1,2,3\n", "activations.csv: expected"),
    ],
)
def test_broken_layers_are_named(folder, file, content, message):
    path = folder / "conv1" / file
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(UserError, match=message):
        open_set(folder)


@pytest.mark.parametrize("shape", ["(-4, 3, 3, 12, 12)", "(0, 3, 3, 12, 12)", "()", "(4,)"])
def test_headers_that_lie_are_refused(folder, shape):
    path = folder / "conv1/images.npy"
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
    path.write_bytes(start + text.encode() + bytes(9))
    with pytest.raises(UserError, match=r"images\.npy"):
        open_set(folder)


def test_a_file_cut_short_is_refused(folder):
    path = folder / "conv1/images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="cut short"):
        open_set(folder)


def test_layers_can_be_chosen(folder):
    found = open_set(folder, layers=["conv1"])
    assert list(found.layers) == ["conv1"]
    assert found.units == [("conv1", 2)]
    with pytest.raises(UserError, match="unknown layer 'conv2'"):
        open_set(folder, layers=["conv2"])
    with pytest.raises(UserError, match="unknown layer 'fc'"):
        found.unit("fc", 0)


def test_groups_are_those_of_the_paper():
    sets = groups.published_sets()
    totals = {key: sum(sets[s].units for s in groups.resolve(key)) for key in groups.group_names()}
    assert sum(facts.units for facts in sets.values()) == 20_272
    assert sum(facts.descriptions for facts in sets.values()) == 60_816
    assert all(facts.descriptions == 3 * facts.units for facts in sets.values())
    assert totals.pop("base") == 19_072
    assert {name: totals.pop(name) for name in ("cls", "gen", "imagenet", "places365")} == {
        "cls": 10_336,
        "gen": 8_736,
        "imagenet": 8_800,
        "places365": 10_272,
    }
    assert [totals.pop(name) for name in ("alexnet", "resnet152", "biggan")] == [2528, 7808, 8736]
    assert totals == {
        f"not-{facts.archive[:-4]}": 19_072 - facts.units
        for key, facts in sets.items()
        if not key.startswith("dino")
    }
    assert "biggan/imagenet" not in groups.resolve("not-biggan-imagenet")
    with pytest.raises(UserError, match="did you mean 'not-biggan-imagenet'"):
        groups.resolve("not-bigan-imagenet")


def test_single_sets_and_groups_take_the_same_root(tmp_path):
    """Spec 6.2-6: a path meant the set itself for one, and its parent for the other."""
    for key in ("alexnet/imagenet", "alexnet/places365"):
        make_layer(tmp_path / key / "conv1")
        write_table(tmp_path / key, ROWS[1:2] * 3)
    assert list(open_sets("alexnet", tmp_path)) == ["alexnet/imagenet", "alexnet/places365"]
    single = open_sets("alexnet/places365", tmp_path)["alexnet/places365"]
    assert single.folder == tmp_path / "alexnet/places365"
    with pytest.raises(UserError, match=r"set 'resnet152/imagenet' not found.*\.zip"):
        open_sets("cls", tmp_path)


def test_custom_sets_open_under_their_own_key(tmp_path):
    """Spec 6.2-7: every custom key was unknown."""
    make_layer(tmp_path / "mine" / "places" / "fc1")
    make_layer(tmp_path / "elsewhere" / "fc2")
    assert list(open_sets("mine/places", tmp_path)["mine/places"].layers) == ["fc1"]
    paths = {"my set": tmp_path / "elsewhere"}
    assert len(open_sets("my set", tmp_path, paths)["my set"]) == 4
    with pytest.raises(UserError, match="did you mean 'my set'"):
        open_sets("my sett", tmp_path, paths)
    with pytest.raises(UserError, match="unknown annotation set or group"):
        open_sets("../elsewhere", tmp_path / "mine")
