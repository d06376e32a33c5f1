"""Any folder of images becomes the same bytes, or one sentence that names the file."""

import numpy as np
import pytest
from datasets_made import build_dataset
from PIL import Image

from milan_core.core.errors import UserError
from milan_core.images.files import resize_crop
from milan_core.images.kinds.folder import FolderOptions
from milan_core.images.listing import list_images
from milan_core.images.picture import from_file
from milan_core.images.pictures import read_picture


def save(path, size=(40, 30), colour=(200, 100, 50), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)


def load_image(path, resize, size):
    options = FolderOptions(path=".", resize=resize, size=size)
    return read_picture(from_file(path, path.name, ""), options).pixels


def build(folder, out, **options):
    spec = {"kind": "folder", "options": {"path": str(folder), "size": 16, **options}}
    return build_dataset("mine", spec, {}, out, 0)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    rng = np.random.default_rng(0)
    for name in ("b/2.png", "a/1.png", "a/10.png", "c/deep/er/0.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (37, 53, 3), dtype=np.uint8)).save(path)
    (folder / "a" / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    save(folder / ".hidden" / "x.png")
    return folder


def test_order_classes_labels(pictures, tmp_path):
    found = build(pictures, tmp_path / "out")
    assert found.names == ["a/1.png", "a/10.png", "b/2.png", "c/deep/er/0.png"]
    assert found.classes == ["a", "b", "c"]
    assert found.labels.tolist() == [0, 0, 1, 2]
    assert not found.world
    assert found.scenes is None
    with pytest.raises(UserError, match="no instance maps; ground truth needs"):
        found.require_world("ground truth")


def test_flat_folder_has_no_classes(tmp_path):
    save(tmp_path / "in" / "x.jpg")
    found = build(tmp_path / "in", tmp_path / "out")
    assert found.classes == []
    assert found.labels.tolist() == [-1]


def test_threads_change_nothing(pictures, tmp_path):
    spec = {"kind": "folder", "path": str(pictures), "size": 16}
    one = build_dataset("mine", spec, {}, tmp_path / "one", 0)
    four = build_dataset("mine", spec, {}, tmp_path / "four", 0, threads=4)
    assert one.fingerprint == four.fingerprint


def test_count_is_a_seeded_sample(pictures, tmp_path):
    spec = {"kind": "folder", "path": str(pictures), "size": 16, "count": 2}
    names = [build_dataset("m", spec, {}, tmp_path / "o", seed).names for seed in range(8)]
    assert all(len(n) == 2 and n == sorted(n) for n in names)
    assert len({tuple(n) for n in names}) > 1
    with pytest.raises(UserError, match="count is 9, the folder holds 4 images"):
        build(pictures, tmp_path / "out", count=9)


def test_shorter_side_then_centre():
    ramp = np.tile(np.arange(80, dtype=np.uint8)[None, :, None], (40, 1, 3))
    middle = resize_crop(Image.fromarray(ramp), 40, 20)  # no scaling: columns 30..49
    assert middle.shape == (20, 20, 3)
    assert (middle[0, :, 0] == np.arange(30, 50)).all()
    tall = Image.fromarray(ramp).transpose(Image.Transpose.ROTATE_90)
    assert resize_crop(tall, 20, 20).shape == (20, 20, 3)


@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (257, 256), (90, 91)])
def test_same_pixels_as_torchvision(shape):
    transforms = pytest.importorskip("torchvision.transforms")
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    chain = transforms.Compose([transforms.Resize(64), transforms.CenterCrop(56)])
    assert (np.asarray(chain(image)) == resize_crop(image, 64, 56)).all()


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [("L", "png", (124, 124, 124)), ("CMYK", "jpg", (200, 100, 50)), ("P", "gif", (200, 100, 50))],
)
def test_modes(tmp_path, mode, suffix, expected):
    save(tmp_path / f"x.{suffix}", mode=mode)
    pixel = load_image(tmp_path / f"x.{suffix}", 16, 16)[8, 8].astype(int)
    assert np.abs(pixel - expected).max() <= 6


def test_alpha_lies_on_white(tmp_path):
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("LA", (20, 20), (0, 255)).save(tmp_path / "solid.png")
    assert (load_image(tmp_path / "clear.png", 16, 16) == 255).all()
    assert (load_image(tmp_path / "solid.png", 16, 16) == 0).all()


def test_sixteen_bits_are_scaled(tmp_path):
    Image.fromarray(np.full((20, 20), 32768, np.uint16)).save(tmp_path / "deep.png")
    assert np.abs(load_image(tmp_path / "deep.png", 16, 16).astype(int) - 127).max() <= 1


def test_orientation_tag_is_obeyed(tmp_path):
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, :10] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise: left becomes top
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    shown = load_image(tmp_path / "turned.png", 20, 20)
    assert shown[2].min() > 250
    assert shown[17].max() < 5


def test_unreadable_image(pictures, tmp_path):
    (pictures / "a" / "5.jpg").write_bytes(b"\xff\xd8 no jpeg")
    (pictures / "b" / "2.png").write_bytes((pictures / "a" / "1.png").read_bytes()[:900])
    with pytest.raises(UserError, match=r"cannot read image .*a/5\.jpg"):
        build(pictures, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    found = build(pictures, tmp_path / "out", on_error="skip")
    assert found.names == ["a/1.png", "a/10.png", "c/deep/er/0.png"]
    assert found.manifest["skipped"] == ["a/5.jpg", "b/2.png"]
    assert found.images.shape[0] == len(found) == 3
    assert found.classes == ["a", "b", "c"]
    assert found.labels.tolist() == [0, 0, 2]
    found.verify()


def test_nothing_to_read(tmp_path):
    with pytest.raises(UserError, match="image folder not found"):
        list_images(tmp_path / "none")
    with pytest.raises(UserError, match="no images in"):
        list_images(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"bad")
    with pytest.raises(UserError, match="none of the 1 images can be read"):
        build(tmp_path, tmp_path / "out", on_error="skip")


def test_links_are_followed_once(pictures):
    (pictures / "a" / "loop").symlink_to(pictures)
    assert len(list_images(pictures).paths) == 4


@pytest.mark.parametrize("options", [{"resize": 8}, {"size": 0}, {"count": -1}, {"on_error": "go"}])
def test_bad_options(pictures, tmp_path, options):
    with pytest.raises(UserError):
        build(pictures, tmp_path / "out", **options)


def test_arrays(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", np.array([0, 1, -1, 1, 0], np.int32))
    spec = {"kind": "arrays", "path": str(tmp_path / "x.npy"), "labels": str(tmp_path / "y.npy")}
    found = build_dataset("a", spec, {}, tmp_path / "out", 0)
    assert (found.images == images).all()
    assert found.labels.tolist() == [0, 1, -1, 1, 0]
    assert found.classes == ["0", "1"]
    named = build_dataset("a", {**spec, "classes": ["x", "y"], "count": 2}, {}, tmp_path / "o", 0)
    assert (len(named), named.classes) == (2, ["x", "y"])


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        (np.zeros((5, 8, 8, 3), np.float32), None, {}, "expected uint8"),
        (np.zeros((5, 8, 8), np.uint8), None, {}, r"got uint8 \(5, 8, 8\)"),
        (np.zeros((5, 8, 8, 3), np.uint8), None, {"count": 6}, "6 images wanted, 5 there"),
        (np.zeros((5, 8, 8, 3), np.uint8), np.zeros(4, int), {}, "expected 5 integers"),
        (np.zeros((5, 8, 8, 3), np.uint8), np.full(5, 2), {"classes": ["a"]}, "must lie in"),
    ],
)
def test_bad_arrays(tmp_path, images, labels, options, message):
    np.save(tmp_path / "x.npy", images)
    spec = {"kind": "arrays", "path": str(tmp_path / "x.npy"), **options}
    if labels is not None:
        np.save(tmp_path / "y.npy", labels)
        spec["labels"] = str(tmp_path / "y.npy")
    with pytest.raises(UserError, match=message):
        build_dataset("a", spec, {}, tmp_path / "out", 0)


def test_folders_that_systems_make_are_passed_over(tmp_path):
    for place in ("cat/a.png", "cat/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg", "$RECYCLE.BIN/x.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / place)
    (tmp_path / "cat" / "._a.png").write_bytes(b"x")
    listing = list_images(tmp_path)
    assert listing.paths == ["cat/a.png"]
    assert listing.passed_over == {"folders of the system": 2}


@pytest.mark.parametrize("clear", [40000, 30000])
def test_the_transparent_gray_of_sixteen_bits_is_white(tmp_path, clear):
    values = np.full((8, 8), 30000, np.uint16)
    values[:, 4:] = 50000
    Image.fromarray(values).save(tmp_path / "a.png", transparency=clear)
    pixels = load_image(tmp_path / "a.png", 8, 8)[0]
    assert pixels[0].tolist() == [255 if clear == 30000 else 30000 * 255 // 65535] * 3
    assert pixels[7].tolist() == [50000 * 255 // 65535] * 3
