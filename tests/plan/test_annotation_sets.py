"""Annotation sets as training data: their features, their texts, and their place in the plan."""

import shutil

import numpy as np
import pytest
from PIL import Image

from milan_core import ops
from milan_core.annotations import plan
from milan_core.annotations.images import SetImages
from milan_core.annotations.merge import merge_images
from milan_core.annotations.options import AnnotationSetSpec, expand_groups
from milan_core.annotations.records import Annotation, write_annotations
from milan_core.annotations.released import open_set
from milan_core.captioner.features.annotated import encode_set, set_fingerprint
from milan_core.captioner.features.options import JobEncoder, Pooling
from milan_core.captioner.features.pool import load_encoder
from milan_core.captioner.features.pooling import pool_slots
from milan_core.captioner.features.step import EncodeSet
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.captioner.training.splits import load_units
from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.describers import plan as describers
from milan_core.experiments.baselines import plan as baselines
from milan_core.experiments.decoding.plan import studied
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN
from milan_core.plan.checks import parse_config
from milan_core.plan.missing import check_present
from milan_core.plan.needed import needed_models
from milan_core.plan.splits import annotation_sets, described, splits, trials

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


def raw(**changes):
    network = {"factory": "a:b", "layers": ["x"], "dataset": "d"}
    base = {
        "models": ["net"],
        "corpus": ["mine"],
        "model_zoo": {"net": network, "enc": network},
        "dataset_zoo": {"d": {"kind": "shapes"}},
        "encoder": {"model": "enc", "layers": ["x"]},
        "annotation_sets": {"mine": {"path": "somewhere"}},
    }
    return {**base, **changes}


def test_sets_in_the_plan():
    config = parse_config(raw(corpus=["mine", "net"]))
    assert annotation_sets(config) == ["mine"]
    assert plan.annotated_networks(config) == ["net"]
    assert needed_models(config) == ["net"]
    assert splits(config)["without_net"].train == ("mine",)
    with pytest.raises(UserError, match=r"somewhere \(annotation_sets\.mine\.path\) is not there"):
        check_present(config, [], ["mine"], [])
    with pytest.raises(UserError, match="did you mean 'mine'"):
        parse_config(raw(corpus=["mien"]))
    with pytest.raises(UserError, match="'net' is in model_zoo and in annotation_sets"):
        parse_config(raw(annotation_sets={"net": {"path": "x"}}, corpus=["net"], models=["enc"]))


def test_groups_stand_for_their_sets():
    names = [f"milannotations_{a}_{d}" for a in ("alexnet", "resnet152", "biggan")
             for d in ("imagenet", "places365")]  # fmt: skip
    sets = {name: {"path": "x"} for name in names}
    config = parse_config(raw(corpus=["not-alexnet-imagenet"], annotation_sets=sets))
    assert config.corpus == names[1:]
    assert expand_groups(raw(corpus=["base"], annotation_sets=sets))["corpus"] == names
    both = expand_groups(raw(corpus=["alexnet", "imagenet"], annotation_sets=sets))["corpus"]
    assert len(both) == len(set(both)) == 4
    with pytest.raises(UserError, match="annotation_sets lacks milannotations_biggan_imagenet"):
        parse_config(raw(corpus=["gen"]))


def paper(**changes):
    """A run that learns from `base` and describes it, and a seventh set."""
    names = [f"milannotations_{a}_{d}" for a in ("alexnet", "resnet152", "biggan")
             for d in ("imagenet", "places365")]  # fmt: skip
    sets = {name: {"path": "x"} for name in [*names, "milannotations_dino_vits8_imagenet"]}
    models = ["net", "base", "dino_vits8/imagenet"]
    return raw(models=models, corpus=["base"], annotation_sets=sets, **changes), names


def test_a_set_is_described_wherever_a_network_may_be():
    body, names = paper(
        generalization={
            "seeds": [0, 1],
            "across": {"tasks": [["cls", "gen"]], "vit": [["all", "dino_vits8/imagenet"]],
                       "one": [[f"milannotations_{x}_imagenet" for x in ("alexnet", "biggan")]]},
        },
        decoding={"models": ["milannotations_alexnet_imagenet", "net"]},
    )  # fmt: skip
    config = parse_config(body)
    assert config.models == ["net", *names, "milannotations_dino_vits8_imagenet"]
    assert plan.networks(config) == needed_models(config) == ["net"]
    assert described(config) == annotation_sets(config) == config.models[1:]
    found = splits(config)
    assert found["from_cls"].train == tuple(names[:4])
    assert found["from_cls"].tests == tuple(names[4:])
    assert found["all"].tests == ("milannotations_dino_vits8_imagenet",)
    assert found["without_" + names[0]].train == tuple(names[1:])
    every = trials(config)
    assert len(every) == 2 * (7 + 6 + 2 + 1 + 1)
    assert {t.experiment for t in every} == {WITHIN, HELD_OUT, "tasks", "vit", "one"}
    rows = {(t.train_side, t.test_side) for t in every if t.experiment in ("tasks", "vit")}
    assert rows == {("cls", "gen"), ("all", "dino_vits8/imagenet")}
    assert (baselines.labeled(config), baselines.labeled_sets(config)) == ([], [])
    folder = {names[0]: {"compexp": "results"}}
    config = parse_config({**body, "baselines": {"published": folder}})
    assert baselines.labeled(config) == []
    assert baselines.labeled_sets(config) == names[:1]
    assert describers.published_labels(config, names[0]) == {"compexp": "results"}
    assert baselines.evidence(config).sets == names
    assert studied(config) == ["milannotations_alexnet_imagenet"]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (["alexnet", "imagenet"], "would describe a network that was trained on"),
        (["all", "gen"], "would describe a network that was trained on"),
        (["alexnet", "gem"], "did you mean 'gen'"),
        (["alexnet", "all"], "unknown network, annotation set or group 'all'"),
    ],
)
def test_pairs_that_cannot_be(pair, words):
    body, _ = paper(generalization={"across": {"x": [pair]}})
    with pytest.raises(UserError, match=words):
        parse_config(body)


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


def test_features_of_several_networks_are_copied_once_and_in_order(tmp_path):
    rng, paths, texts, whole = np.random.default_rng(0), [], [], []
    for name, units in (("a", 5), ("b", 300)):
        array = rng.normal(size=(units, 2, 3)).astype(np.float16)
        meta = {"encoder": "e", "pooling": {}}
        paths.append(tmp_path / f"{name}.safetensors")
        FeatureTable({"exact": array, "whole": array + 1}, [("x", units)], meta).save(paths[-1])
        kept = [unit for unit in range(units) if unit % 3]
        texts.append(tmp_path / f"{name}.csv")
        write_annotations(texts[-1], [Annotation("x", unit, f"text {unit}") for unit in kept])
        whole.append(array[kept])
    found = load_units(["a", "b"], paths, texts)
    expected = np.concatenate(whole)
    np.testing.assert_array_equal(found.features(), expected)
    assert isinstance(found.parts[0][0], np.memmap)
    rows = np.array([1, 2, 3, 150, 201])
    np.testing.assert_array_equal(found.features(rows), expected[rows])
    assert found.features().dtype == np.float16
    assert found.units[3][:2] == ("b", "x")
    texts[1].write_text("layer,unit,summary\nx,one,dogs\n")
    with pytest.raises(UserError, match=r"b\.csv, line 2: unit must be a number"):
        load_units(["a", "b"], paths, texts)
    narrow = rng.normal(size=(5, 2, 4)).astype(np.float16)
    FeatureTable({"exact": narrow}, [("x", 5)], {"encoder": "e"}).save(paths[1])
    with pytest.raises(UserError, match="features of different sizes"):
        load_units(["a", "b"], paths, texts)
