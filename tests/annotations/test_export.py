"""What is exported reads back, what may not be shared stays home, and bad zips do nothing."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from annotations.test_bad_zips import TABLE, make_zip
from milan_core import ops
from milan_core.annotations.catalog import write_catalog
from milan_core.annotations.export import export_set, share_images, zip_set
from milan_core.annotations.groups import published_sets
from milan_core.annotations.pictures import grid, masked_images, write_pictures
from milan_core.annotations.records import Annotation
from milan_core.annotations.released import open_set, open_sets
from milan_core.annotations.unpack import MARK, unpack
from milan_core.core.errors import UserError
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.published_import import import_legacy
from milan_core.exemplars.store import ExemplarSet

SIZE = 14


@pytest.fixture
def exemplars():
    rng = np.random.default_rng(0)
    layers = {}
    for name, units in (("conv1", 3), ("7", 2)):
        ids = rng.integers(0, 5, (units, 4))
        ids[-1, -1] = -1
        layers[name] = LayerExemplars(
            ids,
            np.sort(rng.random((units, 4)).astype(np.float32))[:, ::-1],
            np.full(units, 0.5, np.float32),
            np.ones(units, bool),
            maps=rng.random((units, 4, 7, 7)).astype(np.float32),
        )
    return ExemplarSet(layers, {"k": 4})


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 28, 42, 3), dtype=np.uint8)


ROWS = [
    Annotation("7", 1, 'a "quoted", text'),
    Annotation("conv1", 0, "über"),
    Annotation("7", 1, "two"),
]


@pytest.fixture
def folder(exemplars, images, tmp_path):
    export_set(exemplars, ROWS, tmp_path / "set", images=images, size=SIZE)
    return tmp_path / "set"


def test_export_reads_back(exemplars, images, folder):
    found = open_set(folder, None)
    assert found.units == [("7", 0), ("7", 1), ("conv1", 0), ("conv1", 1), ("conv1", 2)]
    assert open_set(folder, 1).units == [("7", 1), ("conv1", 0)]
    assert found.unit("7", 1).annotations == ('a "quoted", text', "two")
    for unit in found:
        assert np.array_equal(unit.ids, exemplars.ids(unit.layer)[unit.unit])
        assert np.array_equal(unit.masks, exemplars.masks(unit.layer, SIZE)[unit.unit])
        for image, pixels in zip(unit.ids, unit.images, strict=True):
            expected = images[image, ::2, ::3].transpose(2, 0, 1) if image >= 0 else 0
            assert (pixels == expected).all()
    assert (folder / "annotations.csv").read_text().startswith("layer,unit,summary\n7,1,")


def test_published_files_only_unless_asked(exemplars, folder, tmp_path):
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {"annotations.csv", "masks.npy", "ids.csv", "images.npy"}
    export_set(exemplars, ROWS, folder, size=SIZE)
    assert not list(folder.glob("*/images.npy")), "an older export's images are gone too"
    export_set(exemplars, ROWS, tmp_path / "more", size=SIZE, extras=True)
    found = open_set(tmp_path / "more", None).layers["conv1"]
    assert found.activations == pytest.approx(exemplars.activations("conv1"), rel=1e-5)
    back = import_legacy(tmp_path / "more")
    assert np.array_equal(back.packed_masks("7", SIZE), exemplars.packed_masks("7", SIZE))


def test_zip_reads_back_and_is_reproducible(folder, tmp_path):
    names = zip_set(folder, tmp_path / "alexnet-places365.zip", images=True)
    assert names == [
        "annotations.csv",
        "7/ids.csv",
        "7/images.npy",
        "7/masks.npy",
        "conv1/ids.csv",
        "conv1/images.npy",
        "conv1/masks.npy",
    ]
    zip_set(folder, tmp_path / "again.zip", images=True)
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    first = (tmp_path / "alexnet-places365.zip").read_bytes()
    assert first == (tmp_path / "again.zip").read_bytes()
    direct, stored = open_set(tmp_path / "again.zip", None), open_set(folder, None)
    for unit, other in zip(direct, stored, strict=True):
        assert np.array_equal(unit.images, other.images)
        assert np.array_equal(unit.masks, other.masks)
        assert unit.annotations == other.annotations
    by_key = open_sets("alexnet/places365", tmp_path)["alexnet/places365"]
    assert by_key.folder == tmp_path / "alexnet/places365"
    assert len(by_key) == 0  # no unit has three annotations
    zip_set(folder, tmp_path / "mine-photos.zip", images=True)
    assert len(open_sets("mine/photos", tmp_path)["mine/photos"]) == 5
    assert {path.name for path in tmp_path.rglob(".*")} == {MARK}, "no temporary folders left"


def test_images_of_imagenet_stay_home(folder, tmp_path):
    """Spec 6.2-16: the pattern saw the data set's name only, never fitted, and all were packed."""
    shared = {key for key in published_sets() if share_images(key)}
    assert shared == {
        "alexnet/places365",
        "resnet152/places365",
        "biggan/imagenet",
        "biggan/places365",
    }
    for key in ("imagenet", "a/imagenet-blurred", "a/tiny-ImageNet", "a/Imagenette", "a/ILSVRC12"):
        assert not share_images(key)
    assert share_images("mine/photos")
    assert share_images("mine/photos", classes=["cats", "dogs"])
    assert not share_images("mine/photos", classes=["n01440764", "n01443537", "other"])
    assert share_images("mine/imagenet", "include")
    assert not share_images("mine/photos", "leave-out")
    with pytest.raises(UserError, match="images must be one of auto, include, leave-out"):
        share_images("mine/photos", "yes")
    names = zip_set(folder, tmp_path / "a.zip", images=share_images("alexnet/imagenet"))
    assert not [name for name in names if name.endswith("images.npy")]


def test_annotations_must_fit_the_exemplars(exemplars, tmp_path):
    for row, message in [
        (Annotation("conv2", 0, "x"), "unknown layer 'conv2' in the annotations to export"),
        (Annotation("7", 2, "x"), "name unit 2 of '7', which has 2 units"),
    ]:
        with pytest.raises(UserError, match=message):
            export_set(exemplars, [row], tmp_path / "none", size=SIZE)
    assert not (tmp_path / "none").exists()
    exemplars._layers["a/b"] = exemplars._layers["7"]
    with pytest.raises(UserError, match="layer 'a/b' cannot be the name of a folder"):
        export_set(exemplars, [], tmp_path / "none", size=SIZE)
    assert not (tmp_path / "none").exists()


def test_incomplete_folders_are_not_zipped(folder, tmp_path):
    (folder / "7/masks.npy").unlink()
    with pytest.raises(UserError, match=r"7/masks\.npy not found"):
        zip_set(folder, tmp_path / "a.zip", images=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"annotations\.csv not found"):
        zip_set(tmp_path / "empty", tmp_path / "a.zip", images=True)
    (tmp_path / "empty/annotations.csv").touch()
    with pytest.raises(UserError, match=r"<layer>/masks\.npy not found"):
        zip_set(tmp_path / "empty", tmp_path / "a.zip", images=True)
    assert not (tmp_path / "a.zip").exists()


def test_pictures(folder, tmp_path):
    unit = open_set(folder, None).unit("conv1", 0)
    shown = masked_images(unit)
    pixels = unit.images.transpose(0, 2, 3, 1)
    assert np.array_equal(shown[unit.masks], pixels[unit.masks])
    assert np.array_equal(shown[~unit.masks], (pixels[~unit.masks] * 0.25).astype(np.uint8))
    assert grid(unit, columns=3).size == (3 * SIZE, 2 * SIZE)
    assert np.array_equal(np.asarray(grid(unit, columns=3))[SIZE:, :SIZE], shown[3])
    assert write_pictures([unit], tmp_path / "out") == 4
    assert write_pictures([unit], tmp_path / "out") == 0
    written = Image.open(tmp_path / "out/conv1/unit_0/image_2.png")
    assert np.array_equal(np.asarray(written), shown[2])


def test_catalogue_is_whole_on_its_first_run(folder, tmp_path):
    """Spec 6.2-18: descriptions were there only when a file of an earlier run was read."""
    descriptions = {("7", 1): "two things", ("conv1", 0): "dogs"}
    out = tmp_path / "catalog"
    count = write_catalog(
        open_set(folder, None), descriptions, out, key="net/photos", base_url="https://e.org/c/"
    )
    data = json.loads((out / "data.json").read_text())
    assert count == 2
    assert {key: data[key] for key in ("name", "architecture", "dataset", "layers")} == {
        "name": "net/photos",
        "architecture": "net",
        "dataset": "photos",
        "layers": ["7", "conv1"],
    }
    assert data["units"][0] == {
        "layer": "7",
        "unit": 1,
        "images": [f"https://e.org/c/7/unit_1/image_{rank}.png" for rank in range(4)],
        "description": "two things",
    }
    assert (out / "conv1/unit_0/image_3.png").is_file()


@pytest.mark.parametrize("mark", [True, False])
def test_a_replaced_archive_is_not_taken_for_the_folder_of_the_old_one(tmp_path, mark):
    archive, masks = tmp_path / "a.zip", {True: [b"old", b"new"], False: [b"old", b"longer"]}[mark]
    for data in masks:
        with zipfile.ZipFile(archive, "w") as handle:
            handle.writestr("annotations.csv", "layer,unit,annotation\nconv1,0,dog\n")
            handle.writestr("conv1/masks.npy", data)
        if data == masks[0]:
            out = unpack(archive, tmp_path / "a")
            assert unpack(archive, out) == out
            if not mark:  # unpacked by an earlier release
                (out / MARK).unlink()
                (out / "conv1/masks.npy").rename(tmp_path / "kept")  # packed, and removed
                assert unpack(archive, out) == out
                (tmp_path / "kept").rename(out / "conv1/masks.npy")
    with pytest.raises(UserError, match="is there already and is not what"):
        unpack(archive, out)


def test_only_known_files_are_unpacked_and_folders_are_not_overwritten(tmp_path):
    members = {"top [1]/annotations.csv": TABLE, "top [1]/conv1/ids.csv": b"1\n"}
    others = {"__MACOSX/top [1]/._annotations.csv": b"", "top [1]/x.sh": b"", "conv1/ids.csv": b""}
    archive = make_zip(tmp_path / "a.zip", {**members, **others})
    out = unpack(archive, tmp_path / "out")
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == {"annotations.csv", "conv1/ids.csv", MARK}
    (out / "conv1/ids.csv").write_text("2\n")
    assert (unpack(archive, out) / "conv1/ids.csv").read_text() == "2\n"
    (out / "annotations.csv").write_text("other")
    with pytest.raises(UserError, match="is there already and is not what"):
        unpack(archive, out)


def test_packed_masks_survive_the_trip(exemplars, folder):
    unit = open_set(folder, None).unit("7", 0)
    assert np.array_equal(unit.packed, exemplars.packed_masks("7", SIZE)[0])
    assert np.array_equal(unit.packed, ops.pack_masks(unit.masks))
