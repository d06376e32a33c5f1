"""The sample of images: distributions and bands, the same for any shards."""

import numpy as np
import pytest
import torch

from exemplars.test_mine import BYTES, SPEC, net
from milan_core.core.errors import UserError
from milan_core.exemplars import scanning
from milan_core.exemplars.merge import merge
from milan_core.exemplars.mine import mine
from milan_core.exemplars.sample import BITS, draw_bands, sample_state, sampled_images
from milan_core.exemplars.store import load_exemplars
from milan_core.networks.inputs import prepare

LAYERS = ["0", "1", "5"]
OPTIONS = {"k": 3, "quantile": 0.9, "input": SPEC, "batch_size": 8}


def test_the_sample_depends_on_the_number_of_images_alone():
    kept = np.zeros(1000, bool)
    chosen = sampled_images(kept, 100)
    assert chosen.sum() == 100
    assert (chosen == sampled_images(kept, 100)).all()
    assert sampled_images(kept[:10], 100).all()
    assert not sampled_images(kept[:10], 0).any()
    heldout = np.arange(1500) % 3 == 1
    assert (sampled_images(heldout, 100)[~heldout] == chosen).all()
    assert not sampled_images(heldout, 100)[heldout].any()


def updates(monkeypatch, levels):
    """Sizes of the updates of each layer's scan and of its sample, in order."""
    sizes = {}
    update = scanning.ScanState.update

    def counted(self, maps, ids, threads=1, **options):
        what = "sample" if self.spec.bits == BITS else "scan"
        sizes.setdefault((what, self.spec.units), []).append(len(ids))
        return update(self, maps, ids, threads, **options)

    monkeypatch.setattr(scanning.ScanState, "update", counted)
    mine(net(), BYTES, LAYERS, **OPTIONS, sample=20, levels=levels)
    return [found for (what, _), found in sizes.items() if what == "sample"]


def test_a_layer_has_one_update_a_batch_for_its_sample(monkeypatch):
    for sizes in updates(monkeypatch, "binned"):
        layers = len(sizes) // 3
        assert sizes == [8] * 2 * layers + [4] * layers


def test_sketched_levels_see_the_images_in_order(monkeypatch):
    order = []
    update = scanning.QuantileSketch.update
    monkeypatch.setattr(
        scanning.QuantileSketch,
        "update",
        lambda self, maps: (order.append(maps), update(self, maps)),
    )
    sampled = mine(net(), BYTES, "5", **OPTIONS, sample=20, levels="sketch")
    plain = mine(net(), BYTES, "5", **OPTIONS, levels="sketch")
    assert (sampled.levels("5") == plain.levels("5")).all()
    assert all((a == b).all() for a, b in zip(order[:7], order[7:], strict=True))


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_give_the_same_file(tmp_path, shards):
    options = {**OPTIONS, "sample": 20, "bands": 2}
    mine(net(), BYTES, LAYERS, **options).save(tmp_path / "whole")
    parts = []
    for i in range(shards):
        mine(net(), BYTES, LAYERS, shard=(i, shards), **options).save(tmp_path / f"{i}")
        parts.append(load_exemplars(tmp_path / f"{i}"))
    merge(parts[::-1]).save(tmp_path / "merged")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "merged").read_bytes()


def test_distribution_counts_every_value():
    found = mine(net(), BYTES, LAYERS, **OPTIONS, sample=50)
    with torch.no_grad():
        values = net()[:2](prepare(BYTES, SPEC)).transpose(0, 1).flatten(1).numpy()
    spread = found.distribution("1")
    assert spread.images == 50
    for unit, row in enumerate(values):
        low, high, counts = spread.unit(unit)
        inside = (row[:, None] >= low * 0.9999) & (row[:, None] <= high * 1.0001)
        assert spread.zeros[unit] == (row == 0).sum()
        assert counts.sum() + spread.zeros[unit] == spread.values[unit] == row.size
        assert (np.abs(inside.sum(0) - counts.astype(int)) <= 3).all()  # rounding at the edges


def test_bands_are_even_and_strongest_first():
    found = mine(net(), BYTES, LAYERS, **OPTIONS, sample=50, bands=5, band_size=2)
    ids, values = found.bands("5")
    everything = mine(net(), BYTES, "5", **{**OPTIONS, "k": 50})
    order, ranked = everything.ids("5"), everything.activations("5")
    places = [10 * band + offset for band in range(5) for offset in (2, 7)]
    assert (ids.reshape(5, 10) == order[:, places]).all()
    assert (values.reshape(5, 10) == ranked[:, places]).all()


def test_bands_of_few_images_have_empty_places():
    state = sample_state(1, (1, 1), 10, 3, "top")
    state.update(np.array([[1.0], [3.0], [2.0]], np.float32), [0, 1, 2])
    ids, values = draw_bands(state, 2, 3)
    assert ids.tolist() == [[[1, -1, -1], [2, 0, -1]]]
    assert values[0, 0].tolist() == [3.0, -np.inf, -np.inf]


def test_bands_need_a_sample():
    with pytest.raises(UserError, match="bands are drawn from the sampled images"):
        mine(net(), BYTES, LAYERS, **OPTIONS, bands=2)
    with pytest.raises(UserError, match="mined without bands"):
        mine(net(), BYTES, LAYERS, **OPTIONS).bands("0")


def test_exact_levels_are_order_statistics():
    binned, exact = (
        mine(net(), BYTES, LAYERS, **OPTIONS, levels=how) for how in ("binned", "exact")
    )
    for layer in LAYERS:
        np.testing.assert_allclose(binned.levels(layer), exact.levels(layer), rtol=2**-10)
        assert (binned.ids(layer) == exact.ids(layer)).all()
    with pytest.raises(
        UserError,
        match=r"mine: levels: input should be .*, got 'approximate'",
    ):
        mine(net(), BYTES, LAYERS, **OPTIONS, levels="approximate")


def test_bfloat16_changes_the_activations_and_not_the_network():
    model = net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    full = mine(model, BYTES, LAYERS, **OPTIONS)
    half = mine(model, BYTES, LAYERS, **OPTIONS, dtype="bfloat16")
    assert half.meta["dtype"] == "bfloat16"
    assert half.meta["model_hash"] == full.meta["model_hash"]
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, before[name])
    maps = half.layer("0").maps
    assert (maps == torch.from_numpy(maps).bfloat16().float().numpy()).all()
    assert not torch.is_autocast_enabled("cpu")
    np.testing.assert_allclose(half.activations("0"), full.activations("0"), rtol=0.05)
    with pytest.raises(UserError, match=r"mine: dtype: input should be .*, got 'float8'"):
        mine(model, BYTES, LAYERS, **OPTIONS, dtype="float8")


class OwnTensors(torch.nn.Module):
    """Makes float32 tensors by itself."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.mix = torch.nn.Conv2d(3, 8, 4, 4), torch.nn.Linear(8, 6)
        self.norm = torch.nn.LayerNorm(6)

    def forward(self, x):
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        places = torch.linspace(0, 1, tokens.shape[1]).unsqueeze(1)
        return self.norm(self.mix(tokens + places))


def test_a_network_that_makes_float32_tensors_is_mined_in_bfloat16():
    """Casting its weights would end in an error of torch, for types that do not fit."""
    model = OwnTensors().eval()
    full, half = (
        mine(model, BYTES, ["mix", "norm"], **OPTIONS, dtype=dtype)
        for dtype in ("float32", "bfloat16")
    )
    np.testing.assert_allclose(half.activations("mix"), full.activations("mix"), atol=0.03)
    assert half.probe["tolerance"] > full.probe["tolerance"]
