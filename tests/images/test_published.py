"""ImageNet and Places365 in each of their layouts give one data set, in the published order."""

import numpy as np
import pytest
from datasets_made import build_dataset
from PIL import Image
from scipy.io import savemat
from torchvision import transforms

from milan_core.core.errors import UserError

# class of the n-th validation image; the devkit numbers classes in an order of its own
LABELS = ["n03", "n01", "n02", "n01", "n03", "n02"]
DEVKIT = {"n02": 1, "n03": 2, "n01": 3}
SORTED = ["n01", "n02", "n03"]


def pixels(number):
    return np.random.default_rng(number).integers(0, 256, (40 + number, 50, 3), dtype=np.uint8)


def save(path, number, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(number)).save(path, format="PNG", **options)


def file_name(number):
    return f"ILSVRC2012_val_{number + 1:08d}.JPEG"


def build(folder, out, kind="imagenet", **options):
    spec = {"kind": kind, "options": {"path": str(folder), "size": 24, "resize": 28, **options}}
    return build_dataset("set", spec, {}, out, 0)


@pytest.fixture
def foldered(tmp_path):
    for number, label in enumerate(LABELS):
        save(tmp_path / "foldered/val" / label / file_name(number), number)
    return tmp_path / "foldered"


@pytest.fixture
def flat(tmp_path):
    for number in range(len(LABELS)):
        save(tmp_path / "flat/val" / file_name(number), number)
    return tmp_path / "flat"


def kaggle(folder):
    rows = [
        f"{file_name(i)[:-5]},{label} 1 2 3 4 {label} 5 6 7 8" for i, label in enumerate(LABELS)
    ]
    (folder / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]))


def numbered(folder):
    rows = [f"{file_name(i)} {SORTED.index(label)}" for i, label in enumerate(LABELS)]
    (folder / "val.txt").write_text("\n".join(rows))
    (folder / "synset_words.txt").write_text("\n".join(f"{name} some words" for name in SORTED))
    # a devkit beside must not be taken for the table of these numbers
    savemat(folder / "meta.mat", {"synsets": devkit_table()})


def one_a_line(folder):
    (folder / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(LABELS))


def devkit(folder):
    place = folder / "ILSVRC2012_devkit_t12/data"
    place.mkdir(parents=True)
    (place / "ILSVRC2012_validation_ground_truth.txt").write_text(
        "\n".join(str(DEVKIT[label]) for label in LABELS)
    )
    savemat(place / "meta.mat", {"synsets": devkit_table()})
    # a sorted list beside must not be taken for the devkit's numbers
    (folder / "synsets.txt").write_text("\n".join(SORTED))


def devkit_table():
    kinds = [("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)]
    return np.array([(number, name, 0) for name, number in DEVKIT.items()], dtype=kinds)


@pytest.mark.parametrize("truth", [kaggle, numbered, one_a_line, devkit])
def test_flat_and_foldered_imagenet_are_one_data_set(foldered, flat, tmp_path, truth):
    truth(flat)
    one, two = build(foldered, tmp_path / "one"), build(flat, tmp_path / "two")
    assert one.fingerprint == two.fingerprint
    assert one.classes == SORTED
    assert one.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert [name.split("_")[-1][:8] for name in one.names] == [
        f"{number:08d}" for number in (2, 4, 3, 6, 1, 5)
    ]


def test_the_published_transforms_are_exact(foldered, tmp_path):
    crop = transforms.Compose([transforms.Resize(28), transforms.CenterCrop(24)])
    squash = transforms.Resize((24, 24))
    legacy = transforms.Compose([transforms.Resize((28, 28)), transforms.CenterCrop(24)])
    cropped = build(foldered, tmp_path / "a").images
    squashed = build(foldered, tmp_path / "b", geometry="squash", resize=0).images
    both = build(foldered, tmp_path / "c", geometry="squash").images
    for row, number in enumerate((1, 3, 2, 5, 0, 4)):
        image = Image.fromarray(pixels(number))
        assert (cropped[row] == np.asarray(crop(image))).all()
        assert (squashed[row] == np.asarray(squash(image))).all()
        assert (both[row] == np.asarray(legacy(image))).all()


def test_the_grouped_alexnet_gets_227_pixels(foldered, tmp_path):
    found = build(foldered, tmp_path / "out", size=227, resize=256)
    chain = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(227)])
    assert (found.images[0] == np.asarray(chain(Image.fromarray(pixels(1))))).all()


def test_exif_rotation_is_not_applied_as_published(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "in/val/n01/a.png", 0, exif=exif)
    stored = build(tmp_path / "in", tmp_path / "out").images[0]
    turned = build(tmp_path / "in", tmp_path / "up", upright=True).images[0]
    chain = transforms.Compose([transforms.Resize(28), transforms.CenterCrop(24)])
    assert (stored == np.asarray(chain(Image.fromarray(pixels(0))))).all()
    assert (stored != turned).any()


def test_places_layouts(tmp_path):
    classes = ["a/airfield", "f/field/wild", "b/bar"]
    for number, label in enumerate([2, 0, 1, 0]):
        name = f"Places365_val_{number + 1:08d}.jpg"
        save(tmp_path / "nested/val" / classes[label] / name, number)
        plain = classes[label].split("/", 1)[1].replace("/", "-")
        save(tmp_path / "plain/val" / plain / name, number)
        save(tmp_path / "flat/val_256" / name, number)
    folder = tmp_path / "flat"
    rows = [f"Places365_val_{i + 1:08d}.jpg {c}" for i, c in enumerate([2, 0, 1, 0])]
    (folder / "places365_val.txt").write_text("\n".join(rows))
    table = [f"/{name} {number}" for number, name in enumerate(classes)]
    (folder / "categories_places365.txt").write_text("\n".join(table))
    sets = [
        build(tmp_path / layout, tmp_path / f"{layout}-out", "places365")
        for layout in ("nested", "plain", "flat")
    ]
    assert len({found.fingerprint for found in sets}) == 1
    assert sets[0].classes == ["airfield", "bar", "field-wild"]
    assert sets[0].labels.tolist() == [0, 0, 1, 2]


def refused(folder, tmp_path, **options):
    with pytest.raises(UserError) as caught:
        build(folder, tmp_path / "refused", **options)
    assert not (tmp_path / "refused/manifest.json").exists()
    return str(caught.value)


def test_what_cannot_be_labelled_is_refused(flat, foldered, tmp_path):
    assert "a list must say the class of each image" in refused(flat, tmp_path)
    truth = flat / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("\n".join("1" * len(LABELS)))
    (flat / "synsets.txt").write_text("\n".join(SORTED))
    assert "needs its meta.mat" in refused(flat, tmp_path)
    truth.write_text("1\n2\n")
    assert "lists 2 classes for 6 images" in refused(flat, tmp_path)
    truth.write_text("")
    assert "is empty" in refused(flat, tmp_path)
    (flat / "val.txt").write_text(f"{file_name(0)} n01\n")
    assert f"does not list the image {file_name(1)}" in refused(flat, tmp_path)
    (flat / "meta.mat").write_text("no matrix")
    (flat / "val.txt").unlink()
    truth.write_text("\n".join("1" * len(LABELS)))
    assert "is not meta.mat" in refused(flat, tmp_path)
    assert "expected 50000" in refused(foldered, tmp_path, expect=50_000)
    save(foldered / "val" / "stray.png", 9)
    assert "1 images lie beside class folders" in refused(foldered, tmp_path)


def test_a_class_number_without_a_name_is_refused(flat, tmp_path):
    numbered(flat)
    (flat / "synset_words.txt").write_text("n01 a\nn02 b\n")
    assert "has no class number 2" in refused(flat, tmp_path)


def test_a_list_without_classes_is_refused(flat, tmp_path):
    names = [file_name(number) for number in range(len(LABELS))]
    (flat / "val.txt").write_text("\n".join(names))
    assert "lists files without classes" in refused(flat, tmp_path)


def test_a_list_of_another_layout_is_refused(flat, tmp_path):
    rows = [f"{folder}/{file_name(n)} n0{folder}" for n in range(len(LABELS)) for folder in "12"]
    (flat / "val.txt").write_text("\n".join(rows))
    assert f"lists {file_name(0)} twice, as n01 and n02" in refused(flat, tmp_path)


def test_a_class_number_with_two_names_is_refused(flat, tmp_path):
    numbered(flat)
    (flat / "synset_words.txt").write_text("n01 0\nn02 1\nn03 1\n")
    assert "has class number 1 twice, as n02 and n03" in refused(flat, tmp_path)
    for beside in ("val.txt", "synset_words.txt", "meta.mat"):
        (flat / beside).unlink()
    devkit(flat)
    place = flat / "ILSVRC2012_devkit_t12/data/meta.mat"
    twice = np.concatenate([devkit_table(), devkit_table()[:1]])
    twice["WNID"][-1] = "n99"
    savemat(place, {"synsets": twice})
    assert " twice, as " in refused(flat, tmp_path)
