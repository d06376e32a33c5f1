"""Pooling where the maps are, by torch; the CPU stands in for a GPU."""

import numpy as np
import pytest
import torch
from host_waits import HostWaits

from captioner.features.test_encoder import (  # noqa: F401  (a fixture)
    BYTES,
    encoder,
    exemplars,
)
from milan_core import ops
from milan_core.captioner.features import encoder as encoding
from milan_core.captioner.features import pooling as host_pooling
from milan_core.captioner.features import pooling_there
from milan_core.captioner.features.options import Pooling
from milan_core.captioner.features.pooling import MASKINGS, masked_layer, pool_images
from milan_core.captioner.features.pooling_there import pool_there

LEVELS = [(7, 6), (1, 1), (40, 50), (3, 17)]


def sample(dtype, count=14, width=41):
    rng = np.random.default_rng(0)
    levels = [rng.normal(size=(5, 9, *grid)).astype(dtype) for grid in LEVELS]
    rows = rng.integers(-1, 5, count)
    bits = rng.random((count, 33, width)) < rng.choice([0.0, 0.01, 0.3, 1.0], (count, 1, 1))
    return levels, rows, ops.pack_masks(bits)


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("how", ["area", "points"])
@pytest.mark.parametrize("cells", [1 << 26, 50])
def test_means_are_those_of_the_core(monkeypatch, dtype, how, cells):
    monkeypatch.setattr(pooling_there, "_CELLS", cells)
    levels, rows, packed = sample(dtype)
    want = np.concatenate([ops.pool_masks(level, rows, packed, 41, how) for level in levels], 1)
    with torch.no_grad(), HostWaits() as waits:
        got = pool_there(list(map(torch.from_numpy, levels)), rows, packed, 41, how)
    assert not waits.found
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert (got[rows < 0] == 0).all()


@pytest.mark.parametrize("resize", ["area", "bilinear"])
def test_an_encoder_on_a_gpu_pools_there(exemplars, monkeypatch, resize):  # noqa: F811
    """No map comes to the host; features are the same up to rounding, under every masking."""
    layers = [masked_layer(exemplars, name, 32) for name in exemplars.layers]
    used = encoding.used_images(layers)
    options = {"maskings": MASKINGS, "pooling": Pooling(resize=resize), "seed": 2}
    here = pool_images(encoder().batches(BYTES, used, stay=True), layers, 32, **options)
    monkeypatch.setattr(encoding, "on_gpu", lambda maps: True)
    monkeypatch.setattr(host_pooling.ops, "pool_masks", None)
    there = pool_images(encoder().batches(BYTES, used, stay=True), layers, 32, **options)
    assert len(there) == len(MASKINGS)
    for masking, features in there.items():
        np.testing.assert_allclose(features, here[masking], rtol=1e-4, atol=1e-6)


def test_maps_that_are_asked_for_come_to_the_host(monkeypatch):
    monkeypatch.setattr(encoding, "on_gpu", lambda maps: True)
    ((_, maps),) = encoder(20).batches(BYTES, np.arange(20))
    assert {type(level) for level in maps} == {np.ndarray}
    ((_, maps),) = encoder(20).batches(BYTES, np.arange(20), stay=True)
    assert {level.dtype for level in maps} == {torch.float16}


def test_whole_images_are_pooled_once(exemplars, monkeypatch):  # noqa: F811
    """The features of a whole image do not depend on the exemplar."""
    layers = [masked_layer(exemplars, name, 32) for name in exemplars.layers]
    used = encoding.used_images(layers)
    masks, pool_masks = [], ops.pool_masks

    def counted(maps, rows, packed, **options):
        masks.append(len(packed))
        return pool_masks(maps, rows, packed, **options)

    monkeypatch.setattr(host_pooling.ops, "pool_masks", counted)
    pool_images(encoder().batches(BYTES, used), layers, 32, maskings=("whole",))
    assert sum(masks) == 2 * len(used)  # two levels
    masks.clear()
    maps = encoder().encode_maps(BYTES)
    host_pooling.pool_exemplars(maps, np.arange(20), exemplars, 32, "3", masking="whole")
    assert masks == [len(np.unique(layers[1].ids))] * 2


def test_passes_after_the_first_end_behind_the_last_layer():
    enc, tail = encoder(), []
    enc.layers = ["1"]
    enc.model.module[3].register_forward_pre_hook(lambda *_: tail.append(1))
    kept = enc.encode_maps(BYTES)
    assert len(tail) == 1
    assert not enc.model.module[1]._forward_hooks
    again = encoder()
    np.testing.assert_array_equal(kept[0], again.encode_maps(BYTES)[0])
