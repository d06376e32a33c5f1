"""The embedded networks and their input."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.inputs import prepare
from milan_core.networks.minis import efficientnet_lite
from milan_core.networks.minis.cnn import alexnet_mini, resnet_mini
from milan_core.networks.options import InputSpec
from networks.outputs import layer_outputs


@pytest.mark.parametrize(
    ("factory", "layers", "units"),
    [(resnet_mini, "blocks.*", 448), (alexnet_mini, "features.*", 496)],
)
@pytest.mark.parametrize("size", [32, 48, 64])
def test_minis(factory, layers, units, size):
    model = factory(7)
    got = layer_outputs(model, layers, torch.rand(2, 3, size, size))
    assert sum(maps.shape[1] for maps in got.values()) == units
    assert min(float(maps.min()) for maps in got.values()) >= 0
    assert model.eval()(torch.rand(2, 3, size, size)).shape == (2, 7)


def test_minis_sizes():
    count = [sum(p.numel() for p in m.parameters()) for m in (resnet_mini(50), alexnet_mini(50))]
    assert count == [704402, 719458]


def test_lite0_has_the_published_shape():
    model = efficientnet_lite.efficientnet_lite0()
    assert sum(p.numel() for p in model.parameters()) == 4_652_008
    maps = layer_outputs(model, "_blocks.*", torch.rand(1, 3, 64, 64))
    channels = [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    assert [m.shape[1] for m in maps.values()] == channels
    assert [m.shape[2] for m in maps.values()] == [32, 16, 16, 8, 8] + [4] * 6 + [2] * 5
    features = efficientnet_lite.efficientnet_lite0(features_only=True)
    assert features(torch.rand(1, 3, 65, 65)).shape == (1, 320, 3, 3)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("size", [7, 8])
def test_same_padding(kernel, stride, size):
    """Against the definition: output pixel i sees the inputs from i * stride - total // 2 on."""
    conv = efficientnet_lite.SamePadConv2d(2, 3, kernel, stride)
    x = torch.rand(1, 2, size, size)
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    padded = torch.zeros(1, 2, size + kernel, size + kernel)
    padded[:, :, total // 2 : total // 2 + size, total // 2 : total // 2 + size] = x
    windows = padded.unfold(2, kernel, stride).unfold(3, kernel, stride)[:, :, :out, :out]
    expected = torch.einsum("bcijkl,ockl->boij", windows, conv.weight)
    assert torch.allclose(conv(x), expected, atol=1e-5)


def test_lite2_has_the_published_shape():
    model = efficientnet_lite.efficientnet_lite2()
    assert len(model._blocks) == 21
    assert sum(p.numel() for p in model.parameters()) == 6_092_072
    channels = [block._bn2.num_features for block in model._blocks]
    assert sorted(set(channels)) == [16, 24, 48, 88, 120, 208, 352]


def test_lite0_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS_PACKAGE", "no_such_package_here")
    with pytest.raises(UserError, match="not installed; run `make env`"):
        efficientnet_lite.efficientnet_lite0(pretrained=True)


def test_lite0_keys_fit_the_public_checkpoint():
    """The names of the public file, from which weights load unchanged."""
    state = efficientnet_lite.efficientnet_lite0().state_dict()
    assert len(state) == 296
    assert list(state)[:2] == ["_conv_stem.weight", "_bn0.weight"]
    assert state["_blocks.1._expand_conv.weight"].shape == (96, 16, 1, 1)
    assert state["_fc.weight"].shape == (1000, 1280)
    assert all(
        m.eps == 1e-3
        for m in efficientnet_lite.efficientnet_lite0().modules()
        if isinstance(m, nn.BatchNorm2d)
    )


def random_images(count=3, size=16):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_prepare():
    images, spec = random_images(), InputSpec(size=None, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    x = prepare(images, spec)
    assert x.is_contiguous(memory_format=torch.channels_last)
    expected = (images / 255 - np.array(spec.mean)) / np.array(spec.std)
    assert np.allclose(x.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("size", [8, 24])
def test_prepare_resizes(size):
    images = random_images()
    x = prepare(images, InputSpec(size=size, mean=(0, 0, 0), std=(1, 1, 1)))
    plain = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    expected = F.interpolate(plain, (size, size), mode="bilinear", antialias=size < 16)
    assert torch.allclose(x, expected, atol=1e-5)


def test_prepare_refuses_floats():
    with pytest.raises(UserError, match="expected uint8"):
        prepare(np.zeros((1, 3, 8, 8)), InputSpec())


def test_input_spec_round_trip():
    spec = InputSpec(size=96, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert InputSpec(**spec.facts()) == spec
