"""Encoding images once and pooling their maps under masks."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.captioner.features import pool
from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.maps import EncodedMaps, encode_dataset
from milan_core.captioner.features.options import Pooling
from milan_core.captioner.features.pool import pool_network
from milan_core.captioner.features.pooling import (
    MASKINGS,
    masked_layer,
    pool_exemplars,
    pool_images,
    pool_slots,
)
from milan_core.captioner.features.published import encoder_spec, published_encoder
from milan_core.captioner.features.pyramid import pool_pyramid
from milan_core.core.errors import UserError
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.mine import mine
from milan_core.exemplars.store import ExemplarSet
from milan_core.networks.inputs import prepare
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel, build, load_network
from milan_core.ops import pack_masks

SPEC = InputSpec(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
POINTS = Pooling(append_area=False, resize="bilinear")
SHARES = Pooling(append_area=False)
BYTES = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)


def encoder(batch_size=8):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=4, padding=1), nn.ReLU()
    )
    return Encoder(LoadedModel(module, SPEC, ["1", "3"], []), batch_size=batch_size)


def target():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 7, 3)
    )


@pytest.fixture(scope="module")
def exemplars():
    model = target()
    with torch.no_grad():
        model[0].bias[1] = -100  # a dead unit
    return mine(model, BYTES, ["1", "3"], k=3, quantile=0.9, input=SPEC)


@pytest.fixture(scope="module")
def maps():
    return encoder().encode_maps(BYTES)


def test_encode_maps(maps):
    enc = encoder()
    assert [(m.dtype, m.shape) for m in maps] == [
        (np.float16, (20, 4, 16, 16)),
        (np.float16, (20, 6, 4, 4)),
    ]
    with torch.no_grad():
        expected = enc.model.module(prepare(BYTES, SPEC)).numpy()
    np.testing.assert_allclose(maps[1], expected, atol=1e-3)
    some = enc.encode_maps(BYTES, np.array([7, 2]))
    np.testing.assert_allclose(some[0], maps[0][[7, 2]], atol=1e-3)


@pytest.mark.parametrize("masking", ["exact", "whole"])
def test_pooling_follows_its_definition(exemplars, maps, masking):
    size, layer = 32, "3"
    got = pool_exemplars(maps, np.arange(20), exemplars, size, layer, masking=masking)
    masks = exemplars.masks(layer, size)
    masks = masks if masking == "exact" else np.ones_like(masks)
    assert got.shape == (7, 3, 4 + 6 + 1)
    for unit, rank in np.ndindex(7, 3):
        image, mask = exemplars.ids(layer)[unit, rank], masks[unit, rank].astype(float)
        expected = []
        for level in maps:
            side = level.shape[2]
            cells = mask.reshape(side, size // side, side, size // side).mean((1, 3))
            weights = cells / max(cells.sum(), 1e-9)
            expected.append((level[image].astype(float) * weights).sum((1, 2)))
        expected = np.append(np.concatenate(expected), mask.mean())
        np.testing.assert_allclose(got[unit, rank], expected, atol=1e-4)


def test_dead_units_give_zeros(exemplars, maps):
    got = pool_exemplars(maps, np.arange(20), exemplars, 32, "1")
    assert (got[1] == 0).all()
    assert (np.abs(got).sum((1, 2)) > 0).sum() == 4
    assert np.isfinite(got).all()


def test_all_layers_and_no_area(exemplars, maps):
    got = pool_exemplars(maps, np.arange(20), exemplars, 32, pooling=Pooling(append_area=False))
    with_area = pool_exemplars(maps, np.arange(20), exemplars, 32)
    assert got.shape == (5 + 7, 3, 10)
    np.testing.assert_array_equal(with_area[..., :-1], got)


def test_shuffled_masks_come_from_another_unit(exemplars, maps):
    def areas(masking, seed=0):
        return pool_exemplars(maps, np.arange(20), exemplars, 32, "3", masking=masking, seed=seed)[
            ..., -1
        ]

    exact, shuffled = areas("exact"), areas("shuffled")
    assert sorted(map(tuple, exact)) == sorted(map(tuple, shuffled))
    assert not (exact == shuffled).all(1).any()
    np.testing.assert_array_equal(shuffled, areas("shuffled"))
    assert not np.array_equal(shuffled, areas("shuffled", seed=1))


def test_empty_slots_give_zeros(maps):
    ids = np.array([[3, -1]])
    layer = LayerExemplars(
        ids, np.array([[1, -np.inf]], np.float32), np.zeros(1, np.float32), np.ones(1, bool),
        maps=np.ones((1, 2, 4, 4), np.float32),
    )  # fmt: skip
    for masking in ("exact", "shuffled", "whole"):
        got = pool_exemplars(maps, np.arange(20), ExemplarSet({"a": layer}), 32, masking=masking)
        assert (got[0, 1] == 0).all()


def test_each_distinct_image_is_encoded_once(exemplars):
    enc, seen = encoder(), []
    enc.model.module.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    features = enc.features(BYTES, exemplars, mask_size=32)
    used = np.unique(np.concatenate([exemplars.ids(name).ravel() for name in exemplars.layers]))
    assert sum(seen) == len(used)
    whole = pool_exemplars(enc.encode_maps(BYTES), np.arange(20), exemplars, 32, "1")
    np.testing.assert_allclose(features["1"], whole, atol=1e-3)


def test_a_data_set_is_encoded_into_one_folder(tmp_path, exemplars):
    data = SimpleNamespace(images=BYTES, fingerprint="f")
    enc = encoder()
    few = encode_dataset(enc, data, tmp_path / "few", ids=np.array([5, 2, 5, -1]))
    assert few.ids.tolist() == [2, 5]
    assert few.index[[2, 5, 0]].tolist() == [0, 1, -1]
    assert isinstance(few.maps[0], np.memmap)
    assert len(encode_dataset(enc, data, tmp_path / "all").ids) == 20
    loaded = EncodedMaps.load(tmp_path / "all")
    assert (loaded.encoder, loaded.dataset, loaded.kind) == (enc.hash, "f", "pyramid")
    got = pool_exemplars(loaded.maps, loaded.index, exemplars, 32)
    expected = pool_exemplars(enc.encode_maps(BYTES), np.arange(20), exemplars, 32, threads=3)
    np.testing.assert_array_equal(got, expected)
    files = {"encoded.json", "ids.npy", "level0.npy", "level1.npy"}
    assert {path.name for path in (tmp_path / "all").iterdir()} == files


def test_a_network_is_pooled_without_stored_maps(tmp_path, exemplars):
    data = SimpleNamespace(images=BYTES, fingerprint="f", name="probe")
    layers = {name: exemplars.layer(name) for name in exemplars.layers}
    mined = ExemplarSet(layers, {**exemplars.meta, "dataset": "f"})
    enc, seen = encoder(), []
    stored = encode_dataset(enc, data, tmp_path / "maps")
    expected = pool_network(stored, mined, data, seed=3)
    enc.model.module.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    got = pool_network(None, mined, data, seed=3, encoder=enc, threads=3)
    assert sum(seen) == len(np.unique(np.concatenate([mined.ids(n).ravel() for n in mined.layers])))
    assert got.meta == expected.meta
    assert got.rows == expected.rows
    assert set(got.arrays) == set(MASKINGS)
    for masking in MASKINGS:
        assert got.arrays[masking].dtype == np.float16
        np.testing.assert_allclose(got.arrays[masking], expected.arrays[masking], atol=1e-3)
    with pytest.raises(UserError, match="need the encoder"):
        pool_network(None, mined, data)


@pytest.mark.parametrize("resize", ["area", "bilinear"])
@pytest.mark.parametrize("batch", [3, 20])
def test_pooling_as_maps_come_is_pooling_from_the_cache(exemplars, resize, batch):
    enc = encoder(batch)
    layers = [masked_layer(exemplars, name, 32) for name in exemplars.layers]
    options = {"pooling": Pooling(resize=resize), "seed": 3}
    got = pool_images(enc.batches(BYTES, np.arange(20)), layers, 32, maskings=MASKINGS, **options)
    maps = enc.encode_maps(BYTES)
    for masking in MASKINGS:
        expected = pool_exemplars(maps, np.arange(20), exemplars, 32, masking=masking, **options)
        np.testing.assert_allclose(got[masking], expected, atol=1e-4)


@pytest.mark.parametrize("grid", [(7, 7), (14, 14), (13, 5), (1, 1), (32, 32), (55, 55)])
def test_published_point_sampling(grid):
    rng = np.random.default_rng(1)
    masks = rng.random((5, 32, 32)) < 0.3
    maps = rng.normal(size=(5, 4, *grid)).astype(np.float32)
    expected = pool_pyramid(
        [torch.from_numpy(maps)], torch.from_numpy(masks[:, None].astype(np.float32)), "bilinear"
    )
    got = pool_slots([maps], np.arange(5), pack_masks(masks), 32, POINTS)
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


def test_point_sampling_misses_what_area_sees():
    mask = np.zeros((1, 224, 224), bool)
    mask[0, 3:9, 3:9] = True
    maps, rows = [np.ones((1, 2, 7, 7), np.float32)], np.zeros(1, int)
    assert pool_slots(maps, rows, pack_masks(mask), 224, POINTS).tolist() == [[0, 0]]
    assert pool_slots(maps, rows, pack_masks(mask), 224, SHARES).tolist() == [[1, 1]]


def test_hash_depends_on_weights_layers_and_input():
    enc = encoder()
    same, other = encoder(), encoder()
    with torch.no_grad():
        other.model.module[0].bias[0] += 1
    assert enc.hash == same.hash != other.hash
    assert Encoder(enc.model, ["1"]).hash != enc.hash


def test_mistakes_get_a_sentence(exemplars, maps):
    with pytest.raises(UserError, match="was not encoded"):
        pool_exemplars(maps, np.full(20, -1), exemplars, 32)
    with pytest.raises(UserError, match="is not among the 2 images"):
        pool_exemplars(maps, np.arange(2), exemplars, 32)
    with pytest.raises(UserError, match="did you mean 'exact'"):
        pool_exemplars(maps, np.arange(20), exemplars, masking="exakt")
    with pytest.raises(UserError, match="no layers"):
        Encoder(LoadedModel(nn.Identity(), SPEC, [], []))
    with pytest.raises(UserError, match="no images to encode"):
        encoder().encode_maps(BYTES[:0])


def test_lite0_gives_369_features(exemplars):
    spec = {
        "factory": "milan_core.networks.minis.efficientnet_lite:efficientnet_lite0",
        "layers": ["_blocks.2", "_blocks.4", "_blocks.10", "_blocks.14"],
        "input": {"size": 128, "mean": [0.5] * 3, "std": [0.5] * 3},
    }
    features = Encoder(load_network(spec)).features(BYTES, exemplars, mask_size=64)
    assert features["1"].shape == (5, 3, 369)


def test_the_published_encoder_gives_the_published_features(exemplars):
    """Five layers of torchvision's network, here at a small input (spec 4.1)."""
    spec = encoder_spec("resnet101")
    torch.manual_seed(0)
    weights = build(spec).state_dict()
    stored = {f"featurizer.model.{key}": value for key, value in weights.items()}
    enc = published_encoder("resnet101", stored, "memory")
    assert (enc.dtype, enc.layers) == (np.float32, spec.layers)
    small = Encoder(
        dataclasses.replace(enc.model, input=InputSpec(size=64)), enc.layers, dtype="float32"
    )
    found = small.features(BYTES, exemplars, 64, pooling=POINTS)["1"]
    assert (found.shape, found.dtype) == ((5, 3, 3904), np.float32)
    assert (found[1] == 0).all(), "a dead unit"
    assert np.isfinite(found).all()


def pooling_of(exemplars, data, images, monkeypatch):
    """The work of pooling with blocks of so many images."""
    layers = {name: exemplars.layer(name) for name in exemplars.layers}
    mined = ExemplarSet(layers, {**exemplars.meta, "dataset": data.fingerprint})
    enc = encoder(batch_size=2)
    monkeypatch.setattr(pool, "BATCHES", images // 2)
    return mined, enc, pool.passing(enc, mined, data, seed=3)


def test_features_pooled_in_any_parts_are_those_of_one_pass(exemplars, monkeypatch):
    data = SimpleNamespace(images=BYTES, fingerprint="f", name="probe")
    tables = []
    for images in (2, 6, 200):
        mined, enc, work = pooling_of(exemplars, data, images, monkeypatch)
        made = {number: work.make(number) for number in reversed(range(work.count))}
        assert len(made) == -(-len(used_images_of(mined)) // images)
        parts = [pool.read_pooled(made[number]) for number in range(work.count)]
        tables.append(pool_network(None, mined, data, seed=3, encoder=enc, blocks=parts))
        tables.append(pool_network(None, mined, data, seed=3, encoder=enc))
    layers = [masked_layer(mined, name, 16) for name in mined.layers]
    batches = enc.batches(BYTES, used_images_of(mined))
    expected = pool_images(batches, layers, 16, maskings=MASKINGS, seed=3, dtype=np.float16)
    for table in tables:
        for masking in MASKINGS:
            assert table.arrays[masking].tobytes() == expected[masking].tobytes()


def used_images_of(exemplars):
    ids = np.unique(np.concatenate([exemplars.ids(name).ravel() for name in exemplars.layers]))
    return ids[ids >= 0]
