"""Features of annotation sets, and sets as training data."""

import shutil

import numpy as np
import pytest
from PIL import Image

from milan_core import ops
from milan_core.annotations.images import SetImages
from milan_core.annotations.merge import merge_images
from milan_core.annotations.options import AnnotationSetSpec
from milan_core.annotations.released import open_set
from milan_core.captioner.features.annotated import encode_set, set_fingerprint
from milan_core.captioner.features.options import JobEncoder, Pooling
from milan_core.captioner.features.pool import load_encoder
from milan_core.captioner.features.pooling import pool_slots
from milan_core.captioner.features.step import EncodeSet
from milan_core.captioner.features.store import load_features
from milan_core.captioner.training.splits import load_units
from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.describers.sources import SetUnits

SIZE, K, UNITS, IMAGES = 32, 4, 6, 20
NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(5, 7, 3))
"""


def write_layer(folder, rng, dead=None):
    folder.mkdir(parents=True)
    ids = rng.integers(0, IMAGES, (UNITS, K))
    masks = (rng.random((UNITS, K, 1, SIZE, SIZE)) < 0.3).astype(np.uint8)
    if dead is not None:
        masks[dead] = 0
    np.savetxt(folder / "ids.csv", ids, fmt="%d", delimiter=",")
    np.save(folder / "masks.npy", masks)
    return ids, masks[:, :, 0]


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    """A set of the published format without images, and the class folders that its ids count."""
    root, rng = tmp_path_factory.mktemp("mini"), np.random.default_rng(0)
    layers = {name: write_layer(root / "set" / name, rng, dead) for name, dead in
              (("4", 2), ("0", None))}  # fmt: skip
    np.save(root / "set/0/units.npy", np.array([10, 3, 7, 8, 1, 0]))
    lines = ["layer,unit,summary"]
    for unit in (8, 10, 3):
        lines += [f"0,{unit},a red dog {unit}", f"0,{unit},dogs", f"0,{unit},red", f"0,{unit},x"]
    lines += [f"4,{unit},{text}" for unit in range(UNITS) for text in ("sky", "blue", "the sky")]
    lines += ["0,7,too few"]
    (root / "set/annotations.csv").write_text("\n".join(lines) + "\n")
    for index in range(IMAGES):
        path = root / f"val/class{index % 2}/{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (50, 40 + index, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    (root / "net.py").write_text(NETWORK)
    return root, layers


def encoder(root, **more):
    view = {"size": SIZE, "mean": [0.5] * 3, "std": [0.25] * 3}
    model = {"factory": f"{root}/net.py:build", "input": view, "batch_size": 3}
    return load_encoder(JobEncoder(model=model, layers=["0", "2"], **more))


def test_units_of_a_set_whose_masks_are_empty_have_a_status(mini, tmp_path):
    root, _ = mini
    found = open_set(root / "set")
    images = SetImages(found, root / "val", expected=IMAGES)
    table = encode_set(found, images, encoder(root))
    table.save(tmp_path / "f")
    assert load_features(tmp_path / "f").silent == {("4", 2): "saturated"}
    assert SetUnits(found, images).silent == {("4", 2): "saturated"}
    folder = found.layers["4"]
    folder.activations = np.ones((UNITS, K), np.float32)
    folder.activations[1:3] = 0  # of unit 1 a rounded table: it has masks
    assert SetUnits(found, images).silent == {("4", 2): "dead"}


@pytest.mark.parametrize("resize", ["area", "bilinear"])
def test_features_of_a_set(mini, resize, tmp_path):
    root, layers = mini
    found = open_set(root / "set")
    images = SetImages(found, root / "val", expected=IMAGES, threads=2)
    enc, seen = encoder(root), []
    enc.model.module.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    pooling = Pooling(resize=resize)
    table = encode_set(found, images, enc, pooling=pooling)
    assert table.rows == [("0", u) for u in (10, 3, 8)] + [("4", u) for u in range(UNITS)]
    used = [layers["0"][0][[0, 1, 3]], layers["4"][0]]
    assert sum(seen) == len(np.unique(np.concatenate([ids.ravel() for ids in used])))
    maps = enc.encode_maps(images[np.arange(IMAGES)])
    for first, ids, masks in (
        (0, used[0], layers["0"][1][[0, 1, 3]]),
        (3, used[1], layers["4"][1]),
    ):
        packed = ops.pack_masks(masks.reshape(-1, SIZE, SIZE) > 0)
        expected = pool_slots(maps, ids.ravel(), packed, SIZE, pooling)
        got = table.arrays["exact"][first : first + len(ids)].reshape(len(expected), -1)
        np.testing.assert_allclose(got, expected, atol=2e-3)
    assert (table.arrays["exact"][3 + 2] == 0).all(), "a dead unit"
    copy = shutil.copytree(root / "set", tmp_path / "packed")
    open_set(copy).pack()
    again = encode_set(open_set(copy), images, enc, pooling=pooling)
    np.testing.assert_array_equal(again.arrays["exact"], table.arrays["exact"])
    spatial = encode_set(found, images, encoder(root, kind="spatial"))
    assert spatial.arrays["exact"].shape == (9, K * 14 * 14, 7)


def test_images_are_read_as_the_merge_would_write_them(mini, tmp_path):
    root, layers = mini
    for transform in ("crop", "squash"):
        copy = tmp_path / transform
        shutil.copytree(root / "set", copy)
        fresh = SetImages(open_set(copy), root / "val", transform, expected=IMAGES)
        ids = np.unique(layers["4"][0])
        before = fresh[ids]
        merge_images(open_set(copy), root / "val", transform, expected=IMAGES)
        np.testing.assert_array_equal(SetImages(open_set(copy), None, transform)[ids], before)
    with pytest.raises(UserError, match="was merged with transform 'squash'"):
        SetImages(open_set(tmp_path / "squash"), None, "crop")
    with pytest.raises(UserError, match="give the folder of the images"):
        SetImages(open_set(root / "set"))
    with pytest.raises(UserError, match="the ids count 50000"):
        SetImages(open_set(root / "set"), root / "val")


def test_the_step_writes_what_training_reads(mini, tmp_path):
    root, _ = mini
    spec = AnnotationSetSpec(path=str(root / "set"), images=str(root / "val"), expect=IMAGES)
    model = {"name": "net", "factory": f"{root}/net.py:build", "input": {"size": SIZE}}
    out = {"features": tmp_path / "f/features.safetensors", "texts": tmp_path / "a/annotations.csv"}
    facts = EncodeSet(
        annotation_set=spec,
        encoder=JobEncoder(model=model, layers=["0"]),
        features=out["features"],
        annotations=out["texts"],
    ).run(Compute())
    units = load_units(["mine"], [out["features"]], [out["texts"]])
    assert units.units[:3] == [("mine", "0", 10), ("mine", "0", 3), ("mine", "0", 8)]
    assert units.captions[0] == ["a red dog 10", "dogs", "red"]
    assert units.features().shape == (9, K, 6)
    table = load_features(out["features"])
    assert table.units == {"0": [10, 3, 8], "4": list(range(UNITS))}
    assert (facts["units"], facts["annotations"]) == (9, 27)
    assert {path.name for path in tmp_path.rglob("*.*")} == {path.name for path in out.values()}


def test_a_set_without_enough_annotations(mini):
    root, _ = mini
    found = open_set(root / "set", 5)
    with pytest.raises(UserError, match="no unit has as many annotations"):
        encode_set(found, SetImages(found, root / "val", expected=None), encoder(root))


def test_masks_and_images_of_its_own_are_part_of_a_sets_fingerprint(mini, tmp_path):
    root, _ = mini
    copy = tmp_path / "set"
    shutil.copytree(root / "set", copy)
    whole = set_fingerprint(open_set(copy))
    assert whole == set_fingerprint(open_set(root / "set"))
    open_set(copy).pack()
    assert set_fingerprint(open_set(copy)) == whole, "packed or not"
    masks = np.load(copy / "4/masks.npy")
    masks[1, 2, 0, 3, 4] ^= 1
    np.save(copy / "4/masks.npy", masks)
    other = set_fingerprint(open_set(copy))
    assert other != whole
    merge_images(open_set(copy), root / "val", "crop", expected=IMAGES)
    with_images = set_fingerprint(open_set(copy))
    assert with_images != other
    images = np.load(copy / "4/images.npy")
    images[0, 0, 0, 0, 0] ^= 1
    np.save(copy / "4/images.npy", images)
    assert set_fingerprint(open_set(copy)) != with_images
