"""The table of pooled values is a by-product of mining: exact, and the same for any shards."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from milan_core.exemplars.merge import merge
from milan_core.exemplars.mine import mine
from milan_core.exemplars.splits import heldout_images
from milan_core.exemplars.table import merge_tables

IMAGES = torch.randn(45, 3, 12, 12, generator=torch.Generator().manual_seed(1))
LAYERS = ["1", "3"]
PLAIN = {
    "top": (lambda m: m.amax((2, 3)), lambda m: m.mean((2, 3))),
    "bottom": (lambda m: (-m).amax((2, 3)), lambda m: (-m).mean((2, 3))),
    "magnitude": (lambda m: m.abs().amax((2, 3)), lambda m: m.abs().mean((2, 3))),
}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 48, 3), nn.Tanh(), nn.Conv2d(48, 9, 3, stride=2), nn.ReLU())


def mined(images=IMAGES, **settings):
    given = {"k": 4, "batch_size": 8, "table": ("max", "mean"), **settings}
    return mine(net().to(memory_format=torch.channels_last), images, LAYERS, **given)


def saved(table, path):
    table.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("mode", PLAIN)
def test_values_are_those_of_plain_pooling(mode):
    table = mined(mode=mode).table
    model = net()
    with torch.inference_mode():
        maps = [model[:2](IMAGES), model(IMAGES)]
    assert table.ids.tolist() == list(range(45))
    for pool, plain in zip(("max", "mean"), PLAIN[mode], strict=True):
        expected = torch.cat([plain(one) for one in maps], 1).T.numpy()
        np.testing.assert_allclose(table.block(slice(None), pool), expected, atol=2e-6)
    assert table.facts.layers == (("1", 48), ("3", 9))


@pytest.mark.parametrize("heldout", ["none", "split", "second-half"])
@pytest.mark.parametrize("of", [1, 2, 7, 50])
def test_any_number_of_shards_gives_the_same_bytes(of, heldout, tmp_path):
    whole = mined(heldout=heldout)
    parts = [mined(shard=(part, of), heldout=heldout) for part in range(of)]
    merged, table = merge(parts), merge_tables([part.table for part in parts])
    assert saved(table, tmp_path / "a") == saved(merge_tables([whole.table]), tmp_path / "b")
    assert saved(merged, tmp_path / "c") == saved(whole, tmp_path / "d")


def test_heldout_images_are_in_the_table_and_in_no_exemplar():
    result = mined(heldout="split", sample=20, bands=2)
    apart = heldout_images(result.meta["dataset"], len(IMAGES), "split")
    assert 0 < apart.sum() < len(IMAGES) / 2
    assert (result.table.heldout == apart).all()
    shown = np.flatnonzero(~apart)
    alone = mined(IMAGES[shown], sample=20, bands=2)
    for layer in LAYERS:
        assert (result.ids(layer) == shown[alone.ids(layer)]).all()
        np.testing.assert_array_equal(result.activations(layer), alone.activations(layer))
        np.testing.assert_array_equal(result.levels(layer), alone.levels(layer))
        np.testing.assert_array_equal(result.bands(layer)[0], shown[alone.bands(layer)[0]])


def test_a_stream_holds_the_same_images_out(tmp_path):
    loader = DataLoader([(image,) for image in IMAGES], batch_size=7)
    result = mined(loader, heldout="split")
    apart = heldout_images(result.meta["dataset"], len(IMAGES), "split")
    assert (result.table.heldout == apart).all()
    assert not set(np.flatnonzero(apart)) & set(result.ids("1").ravel())
    np.testing.assert_array_equal(result.table.block(slice(None)), mined().table.block(slice(None)))


def test_a_saved_shard_knows_what_was_held_out(tmp_path):
    from milan_core.exemplars.store import load_exemplars

    for part in range(2):
        mined(shard=(part, 2), heldout="split").save(tmp_path / f"{part}")
    merged = merge([load_exemplars(tmp_path / f"{part}") for part in range(2)])
    assert merged.meta["heldout"] == "split"
    assert "heldout" not in mined().meta


def test_nothing_is_pooled_unless_asked():
    assert mined(table=()).table is None


def test_a_second_data_set_has_the_values_that_mining_gives(tmp_path):
    from milan_core.exemplars.mine import mine_dataset
    from milan_core.exemplars.options import MiningOptions, MiningRun
    from milan_core.exemplars.pooled import pool_dataset
    from milan_core.images.kinds.shapes import Shapes, ShapesOptions
    from milan_core.networks.options import InputSpec
    from milan_core.networks.zoo import LoadedModel

    dataset = Shapes(options=ShapesOptions(count=21)).build("scenes", tmp_path / "d", {}, 1)
    spec = InputSpec(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    network = LoadedModel(module=net(), input=spec, layers=LAYERS, post_relu=[])
    run = MiningRun(batch_size=8)
    mined = mine_dataset(network, dataset, MiningOptions(k=4, table=("max",)), run).table
    alone = pool_dataset(network, dataset, ("max",), run)
    assert alone.heldout.all()
    assert alone.facts.layers == mined.facts.layers
    expected = merge_tables([mined]).block(slice(None))
    np.testing.assert_array_equal(alone.block(slice(None)), expected)


def test_exemplars_of_two_halves_share_no_image(tmp_path):
    from milan_core.exemplars.store import load_exemplars

    halves = []
    for half in ("first-half", "second-half"):
        mined(heldout=half).save(tmp_path / half)
        found = load_exemplars(tmp_path / half)
        assert found.meta["heldout"] == half
        halves.append({image for layer in LAYERS for image in found.ids(layer).ravel().tolist()})
    assert all(halves)
    assert not (halves[0] & halves[1]) - {-1}
