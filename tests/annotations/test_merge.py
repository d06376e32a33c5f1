"""Images come back in the right place and geometry, whole layers or none."""

import numpy as np
import pytest
from PIL import Image

from milan_core.annotations import merge
from milan_core.annotations.merge import list_images, merge_images
from milan_core.annotations.released import open_set
from milan_core.core.errors import UserError

SIZE = 28  # crop: shorter side to 32, then the middle 28


@pytest.fixture
def photos(tmp_path):
    """Six pictures in two class folders below val/; ids are 0..5 in this order."""
    names = ["n01/b.JPEG", "n01/c.jpeg", "n02/A.png", "n02/a.png", "n02/deep/z.png", "n02/x.ppm"]
    rng = np.random.default_rng(0)
    for index, name in enumerate(names):
        path = tmp_path / "imagenet/val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = (40, 60) if index % 2 else (64, 32)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    (tmp_path / "imagenet/val/n02/notes.txt").touch()
    (tmp_path / "imagenet/val/loose.png").touch()
    (tmp_path / "imagenet/train/n01").mkdir(parents=True)
    return tmp_path / "imagenet"


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "set"
    tables = {"conv1": [[4, 0], [0, 5]], "conv2": [[1, -1], [2, 3]]}
    for layer, ids in tables.items():
        (root / layer).mkdir(parents=True)
        (root / layer / "ids.csv").write_text("".join(f"{a},{b}\n" for a, b in ids))
        np.save(root / layer / "masks.npy", np.zeros((2, 2, 1, SIZE, SIZE), np.uint8))
    return root


def merged(folder, photos, *, layers=None, **options):
    return merge_images(open_set(folder, None, layers), photos, expected=6, **options)


def cropped(path):
    """Resize 32 and center crop 28, written out for the two shapes in use."""
    image = Image.open(path).convert("RGB")
    size, box = {(60, 40): ((48, 32), (10, 2)), (32, 64): ((32, 64), (2, 18))}[image.size]
    left, top = box
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))[
        top : top + SIZE, left : left + SIZE
    ]


def test_order_is_that_of_class_folders_in_both_layouts(photos):
    """Spec 6.2-8: the same folder was read as the set itself and as the one above `val`."""
    found = list_images(photos)
    assert found == list_images(photos / "val")
    assert [path.relative_to(photos / "val").as_posix() for path in found] == [
        "n01/b.JPEG",
        "n01/c.jpeg",
        "n02/A.png",
        "n02/a.png",
        "n02/x.ppm",
        "n02/deep/z.png",
    ]


def test_flat_folder_with_a_published_list_gives_the_same_images(folder, photos, tmp_path):
    """ImageNet's validation images as they are published: one folder, and a list beside it."""
    paths = list_images(photos)
    # Numbered so that neither the files' order nor that of the list is the order of ids.
    numbers = [4, 1, 6, 2, 5, 3]
    flat = tmp_path / "flat"
    (flat / "val").mkdir(parents=True)
    rows = []
    for number, path in sorted(zip(numbers, paths, strict=True)):
        name = f"ILSVRC2012_val_{number:08d}"
        Image.open(path).save(flat / "val" / f"{name}.JPEG", format="PNG")
        rows.append(f"{name},{path.relative_to(photos / 'val').parts[0]} 1 2 3 4\n")
    (flat / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows))
    found = list_images(flat)
    assert found == list_images(flat / "val")
    # Class by class (two of n01, four of n02), in each by file name.
    assert [path.stem[-1] for path in found] == ["1", "4", "2", "3", "5", "6"]
    merge_images(open_set(folder, None), flat, expected=6)
    for unit in open_set(folder, None):
        for image, pixels in zip(unit.ids.tolist(), unit.images, strict=True):
            expected = cropped(found[image]) if image >= 0 else np.zeros((SIZE, SIZE, 3))
            assert np.array_equal(pixels.transpose(1, 2, 0), expected)


def test_flat_folder_without_a_list_is_refused(photos):
    for number, path in enumerate(list_images(photos)):
        path.rename(photos / f"val/{number}{path.suffix}")
    with pytest.raises(UserError, match="a list must say the class of each image"):
        list_images(photos)


def test_default_geometry_is_that_of_the_masks(folder, photos):
    """Spec 6.2-5: images were squashed, so masks of all that are not square were off."""
    assert merged(folder, photos) == {"conv1": "written", "conv2": "written"}
    paths = list_images(photos)
    for unit in open_set(folder, None):
        for image, pixels in zip(unit.ids.tolist(), unit.images, strict=True):
            expected = cropped(paths[image]) if image >= 0 else np.zeros((SIZE, SIZE, 3))
            assert np.array_equal(pixels.transpose(1, 2, 0), expected)


def test_squash_is_the_published_merge(folder, photos):
    merged(folder, photos, transform="squash", threads=2)
    unit = open_set(folder, None).unit("conv1", 0)
    image = Image.open(list_images(photos)[4]).convert("RGB")
    squashed = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    assert np.array_equal(unit.images[0].transpose(1, 2, 0), squashed)
    assert not np.array_equal(squashed, cropped(list_images(photos)[4]))


def test_crop_is_256_to_224_at_the_published_size():
    image = Image.fromarray(np.arange(300 * 256 * 3, dtype=np.uint8).reshape(300, 256, 3))
    assert np.array_equal(merge.TRANSFORMS["crop"](image, 224), np.asarray(image)[38:262, 16:240])


def test_orientation_tags_are_ignored_as_when_the_masks_were_made(folder, photos):
    path = photos / "val/n01/b.JPEG"
    image = Image.open(path).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(path, exif=exif, quality=95)
    merged(folder, photos, layers=["conv1"])
    pixels = open_set(folder, None).unit("conv1", 1).images[0].transpose(1, 2, 0)
    assert np.array_equal(pixels, cropped(path))


def test_a_stopped_merge_goes_on(folder, photos):
    (photos / "val/n02/a.png").rename(photos / "val/n02/a.gone")
    (photos / "val/n02/a.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"cannot read image .*a\.png.*its id must keep its place"):
        merged(folder, photos)
    assert (folder / "conv1/images.npy").is_file()
    assert sorted(path.name for path in (folder / "conv2").iterdir()) == [
        "ids.csv",
        "images.json",
        "masks.npy",
    ]
    before = (folder / "conv1/images.npy").stat().st_mtime_ns
    (photos / "val/n02/a.gone").replace(photos / "val/n02/a.png")
    assert merged(folder, photos) == {"conv1": "kept", "conv2": "written"}
    assert (folder / "conv1/images.npy").stat().st_mtime_ns == before


def test_geometries_are_not_mixed(folder, photos):
    merged(folder, photos)
    with pytest.raises(UserError, match="was merged with transform 'crop', asked for 'squash'"):
        merged(folder, photos, transform="squash")
    (folder / "conv1/images.json").write_text('{"format": "milan-merged-images", "version": 9}')
    with pytest.raises(UserError, match="not a milan-merged-images record of version 1"):
        merged(folder, photos)
    (folder / "conv1/images.json").unlink()  # published images have no record
    assert merged(folder, photos)["conv1"] == "kept"


def test_wrong_folders_are_refused_before_anything_is_written(folder, photos, tmp_path):
    found = open_set(folder, None)
    with pytest.raises(UserError, match="holds 6 images, the ids count 50000"):
        merge_images(found, photos)
    with pytest.raises(UserError, match="transform must be crop or squash"):
        merge_images(found, photos, "stretch", expected=6)
    with pytest.raises(UserError, match="image folder not found"):
        merge_images(found, tmp_path / "none")
    with pytest.raises(UserError, match="no class folders with images"):
        merge_images(found, photos / "val" / "n01", expected=None)
    (photos / "val/n02/deep/z.png").unlink()
    with pytest.raises(UserError, match=r"id 5 in ids\.csv, .* has 5 images"):
        merge_images(found, photos, expected=None)
    assert not list(folder.glob("*/images.*"))


def test_order_and_geometry_are_torchvision_s(photos):
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, Resize

    folder = ImageFolder(photos / "val", Compose([Resize(32), CenterCrop(28)]))
    paths = list_images(photos)
    assert [str(path) for path in paths] == [path for path, _ in folder.samples]
    for path, (image, _) in zip(paths, folder, strict=True):
        ours = merge.TRANSFORMS["crop"](Image.open(path).convert("RGB"), SIZE)
        assert np.array_equal(ours, np.asarray(image))
