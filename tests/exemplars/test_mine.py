"""Mining: every form of input, every kind of layer, and every mistake."""

import numpy as np
import pytest
import torch
from datasets_made import build_dataset
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import milan_core as milan
from milan_core.core.errors import UserError
from milan_core.exemplars import batches
from milan_core.exemplars.mine import mine, mine_dataset
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.networks import feeding, options
from milan_core.networks.inputs import prepare
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel

SPEC = InputSpec(size=None, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
BYTES = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
IMAGES = prepare(BYTES, SPEC)
LAYERS = ["0", "2", "5"]


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()


def assert_equal(a, b):
    assert a.layers == b.layers
    for name in a.layers:
        for part in ("ids", "activations", "levels", "maps"):
            x, y = getattr(a.layer(name), part), getattr(b.layer(name), part)
            np.testing.assert_array_equal(x, y)


def test_equals_a_full_sort():
    model = net()
    result = mine(model, IMAGES, LAYERS, k=7, quantile=0.9)
    with torch.no_grad():
        outputs = {"0": model[0](IMAGES), "5": model(IMAGES)[:, :, None, None]}
    for name, maps in outputs.items():
        pooled = maps.flatten(2).max(2).values.numpy()
        order = np.argsort(-pooled, axis=0, kind="stable")[:7].T
        np.testing.assert_array_equal(result.ids(name), order)
        np.testing.assert_allclose(
            result.activations(name), np.take_along_axis(pooled.T, order, 1), rtol=1e-5
        )
        values = np.sort(maps.transpose(0, 1).flatten(1).numpy(), axis=1)[:, ::-1]
        count = values.shape[1]
        exact = values[:, count - int(np.ceil(0.9 * count))]
        found = result.resolved(name)
        np.testing.assert_allclose(result.levels(name)[found], exact[found], rtol=2**-10)
    assert result.units == {"0": 6, "2": 8, "5": 5}
    assert result.k == 7


@pytest.mark.parametrize("form", ["bytes", "dataset", "loader", "pairs", "object"])
def test_every_form_of_images_gives_the_same(form):
    pairs = TensorDataset(IMAGES, torch.zeros(50))
    forms = {
        "bytes": BYTES,
        "dataset": TensorDataset(IMAGES),
        "loader": DataLoader(pairs, batch_size=7),
        "pairs": pairs,
        "object": type("Data", (), {"images": BYTES, "fingerprint": "f"})(),
    }
    spec = SPEC if form in ("bytes", "object") else None
    result = mine(net(), forms[form], LAYERS, k=5, batch_size=16, input=spec)
    assert_equal(result, mine(net(), IMAGES, LAYERS, k=5, batch_size=16))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing_but_the_networks_rounding(batch_size):
    """Ids are equal. Convolutions may round otherwise for another batch size (1e-6 relative, in
    practice 0 here), so levels are compared with that tolerance, not bit by bit."""
    result = mine(net(), IMAGES, LAYERS, k=5, batch_size=batch_size)
    other = mine(net(), IMAGES, LAYERS, k=5, batch_size=32)
    for name in LAYERS:
        np.testing.assert_array_equal(result.ids(name), other.ids(name))
        np.testing.assert_allclose(result.levels(name), other.levels(name), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [3, 7, 8, 49, 64])
def test_a_last_batch_that_is_short_changes_no_bit(batch_size):
    """The same images where the last ones share their batch with others, or with nothing."""
    whole = -(-60 // batch_size) * batch_size
    more = np.random.default_rng(1).integers(0, 256, (whole - 50, 16, 16, 3), dtype=np.uint8)
    options = {"batch_size": batch_size, "input": SPEC, "quantile": 0.9}
    short = mine(net(), BYTES, LAYERS, k=50, **options)
    full = mine(net(), np.concatenate([BYTES, more]), LAYERS, k=whole, **options)
    for name in LAYERS:
        for unit, ids in enumerate(full.ids(name)):
            ours = ids < 50
            np.testing.assert_array_equal(ids[ours], short.ids(name)[unit])
            for part in ("activations", "maps"):
                expected = getattr(short.layer(name), part)[unit]
                assert getattr(full.layer(name), part)[unit][ours].tobytes() == expected.tobytes()


def test_images_stay_bytes_on_disk_until_their_batch(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", BYTES)
    spec = {"kind": "arrays", "options": {"path": str(tmp_path / "x.npy")}}
    dataset = build_dataset("bytes", spec, {}, tmp_path / "data", 0)
    assert isinstance(dataset.images, np.memmap)
    taken = []

    def watched(raw):
        taken.append((raw.dtype, len(raw), np.shares_memory(raw, stored)))
        return as_tensor(raw)

    as_tensor, stored = feeding.as_tensor, dataset.images
    for module in (feeding, batches):
        monkeypatch.setattr(module, "as_tensor", watched)
    found = mine(net(), dataset, LAYERS, k=3, quantile=0.9, batch_size=8, input=SPEC)
    whole = 2 + 6  # the probe reads the first images twice; the last batch is filled up
    assert taken == [*[(np.uint8, 8, True)] * whole, (np.uint8, 8, False)]
    assert isinstance(found.images, np.memmap), "the set holds the map, not a copy"
    monkeypatch.undo()
    assert_equal(found, mine(net(), BYTES, LAYERS, k=3, quantile=0.9, batch_size=8, input=SPEC))


def test_one_forward_a_batch_and_early_stop():
    model, forwards, tail = net(), [], []
    model.register_forward_pre_hook(lambda *_: forwards.append(1))
    model[5].register_forward_pre_hook(lambda *_: tail.append(1))
    mine(model, IMAGES, ["0", "2"], k=3, batch_size=16)
    assert len(forwards) == 3 + 4 + 1, "three of the probe, one a batch, one at the end"
    assert len(tail) == 3 + 1 + 1, "of the batches only the first runs past the deepest layer"
    assert all(m._forward_hooks == {} for m in model.modules())


def test_dead_units_have_level_zero_and_empty_masks():
    model = net()
    with torch.no_grad():
        model[0].bias[2] = -100
    result = mine(model, IMAGES, "1", k=5)
    assert result.levels("1")[2] == 0
    assert (result.activations("1")[2] == 0).all()
    assert result.ids("1")[2].tolist() == [0, 1, 2, 3, 4]
    masks = result.masks("1", size=32)
    assert not masks[2].any()
    assert masks[[0, 1, 3]].any((1, 2, 3)).all()
    assert result.counts("1")["zeros"][2] == result.counts("1")["values"][2] == 50 * 256


def test_fewer_images_than_k(tmp_path):
    result = mine(net(), IMAGES[:3], LAYERS, k=5)
    for name in LAYERS:
        assert (result.ids(name)[:, 3:] == -1).all()
        assert (result.ids(name)[:, :3] >= 0).all()
        assert not result.masks(name, 16, levels=-1e9)[:, 3:].any()
    result.export_legacy(tmp_path, BYTES, size=16)


def test_a_run_refuses_fewer_images_than_k(tmp_path):
    dataset = build_dataset("few", {"kind": "shapes", "count": 3}, {}, tmp_path, 0)
    network = LoadedModel(net(), SPEC, LAYERS, [])
    with pytest.raises(UserError, match="fewer images than k: the data set has 3, and k is 5"):
        mine_dataset(network, dataset, MiningOptions(k=5), MiningRun())


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.mix = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, 6)

    def forward(self, x):
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        return self.mix(torch.cat([tokens.mean(1, keepdim=True) + 9, tokens], 1))


def test_tokens_leave_the_class_token_out():
    fixed = mine(Tokens(), IMAGES, "mix", k=3)
    assert fixed.layer("mix").maps.shape == (6, 3, 4, 4)
    legacy = mine(Tokens(), IMAGES, "mix", k=3, layout=Layout(options.Tokens(spatialise="legacy")))
    assert not np.array_equal(fixed.activations("mix"), legacy.activations("mix"))


def test_post_relu_levels():
    raw = mine(net(), IMAGES, "2", k=3, quantile=0.2)
    rectified = mine(net(), IMAGES, "2", k=3, quantile=0.2, post_relu=["2"])
    assert (rectified.levels("2") >= 0).all()
    assert raw.counts("2")["negatives"].sum() > 0 == rectified.counts("2")["negatives"].sum()
    assert rectified.meta["post_relu"] == ["2"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": "7"}, "unknown layer '7'"),
        ({"layers": "1.weight"}, "unknown layer"),
        (
            {"images": torch.full((4, 3, 16, 16), torch.nan)},
            "layer '0': 6 of 6 units are NaN within the first",
        ),
        ({"images": torch.zeros(4, 1, 16, 16)}, r"cannot run on input of shape \(2, 1, 16, 16\)"),
        ({"images": torch.zeros(0, 3, 16, 16)}, "no images"),
        ({"images": torch.zeros(4, 3, 16, 16, dtype=torch.uint8)}, "expected normalized floats"),
        ({"images": BYTES}, "give input=InputSpec"),
        ({"images": 3}, "images are int"),
        ({"images": [1, 2]}, "int items"),
        ({"images": DataLoader(TensorDataset(IMAGES), shuffle=True)}, "shuffles"),
        ({"images": DataLoader(TensorDataset(IMAGES), 16, drop_last=True)}, "gave 48 images"),
        ({"shard": (3, 3)}, "expected \\(i, n\\)"),
        ({"k": 0}, "mine: k: input should be greater than or equal to 1, got 0"),
        ({"quantile": 1.0}, "mine: quantile: input should be less than 1, got 1.0"),
        ({"modes": "top"}, "mine: modes: unknown key; did you mean mode"),
    ],
)
def test_mistakes_get_a_sentence(change, sentence):
    model = net().train()
    options = {"images": IMAGES, "layers": LAYERS, "k": 3, **change}
    with pytest.raises(UserError, match=sentence) as caught:
        mine(model, options.pop("images"), **options)
    assert "\n" not in str(caught.value)
    assert model.training
    assert not any(m._forward_hooks for m in model.modules())


def test_public_names():
    assert milan.mine is mine
    assert {"merge", "load_exemplars", "ExemplarSet"} <= set(dir(milan))
