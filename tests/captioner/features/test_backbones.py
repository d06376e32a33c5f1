"""Encoders by configuration: published torchvision trunks, token networks, the spatial one."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.published import PUBLISHED, encoder_spec, published_encoder
from milan_core.captioner.features.pyramid import pool_pyramid
from milan_core.captioner.reading import PUBLISHED_POOLING
from milan_core.core.errors import UserError
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet
from milan_core.networks.inputs import prepare
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel, build, load_network
from milan_core.ops import pack_masks

RNG = np.random.default_rng(0)
TOKENS = """
def dinov2():
    from transformers import Dinov2Config, Dinov2Model

    sizes = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=2, patch_size=8)
    return Dinov2Model(Dinov2Config(image_size=32, **sizes))


def clip():
    from transformers import CLIPVisionConfig, CLIPVisionModel

    sizes = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=2, patch_size=8)
    return CLIPVisionModel(CLIPVisionConfig(image_size=32, intermediate_size=48, **sizes))
"""


def exemplar_set(ids, masks):
    units, k = ids.shape
    one = LayerExemplars(
        ids,
        np.zeros((units, k), np.float32),
        np.zeros(units, np.float32),
        np.ones(units, bool),
        packed=pack_masks(masks),
        size=masks.shape[-1],
    )
    return ExemplarSet({"layer": one})


@pytest.mark.parametrize(
    ("config", "channels"), [("alexnet", 1152), ("resnet18", 1024), ("resnet50", 3904)]
)
def test_published_encoders(config, channels):
    module = build(encoder_spec(config)).eval()
    state = {f"somewhere.model.{name}": x for name, x in module.state_dict().items()}
    state["mean"] = torch.zeros(3)
    encoder = published_encoder(config, state, "file.pth")
    image = RNG.integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    mask = np.zeros((1, 1, 224, 224), bool)
    mask[..., 40:150, 60:200] = True
    found = encoder.features(
        image,
        exemplar_set(np.zeros((1, 1), int), mask),
        pooling=PUBLISHED_POOLING,
    )["layer"]
    assert found.shape == (1, 1, channels)
    # By hand: the layers' outputs, after the in-place ReLU where torchvision has one.
    outputs = []
    names = PUBLISHED[config].layers
    modules = dict(module.named_modules())
    hooks = [modules[n].register_forward_hook(lambda *a: outputs.append(a[2])) for n in names]
    with torch.no_grad():
        module(prepare(image, InputSpec(size=224)))
    for hook in hooks:
        hook.remove()
    expected = pool_pyramid(outputs, torch.from_numpy(mask).float(), "bilinear")
    np.testing.assert_allclose(found[0], expected.numpy(), rtol=1e-3, atol=1e-4)


def test_wrong_encoder_weights():
    state = build(encoder_spec("resnet18")).state_dict()
    with pytest.raises(UserError, match=r"file\.pth does not hold the weights of resnet50"):
        published_encoder("resnet50", state, "file.pth")
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        encoder_spec("resnet81")


@pytest.mark.parametrize(
    ("factory", "layers"),
    [
        ("dinov2", ["encoder.layer.0", "encoder.layer.2"]),
        ("clip", ["**.layers.0", "**.layers.2"]),
    ],
)
def test_token_networks_become_maps(tmp_path, factory, layers):
    pytest.importorskip("transformers")
    (tmp_path / "tokens.py").write_text(TOKENS)
    torch.manual_seed(0)
    spec = {"factory": f"{tmp_path}/tokens.py:{factory}", "layers": layers, "input": {"size": 32}}
    encoder = Encoder(load_network(spec))
    images = RNG.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    maps = encoder.encode_maps(images)
    assert [m.shape for m in maps] == [(3, 24, 4, 4)] * 2
    # A change in one corner changes the token of that corner most: the grid is not turned around.
    changed = images.copy()
    changed[:, :8, 24:] = 255 - changed[:, :8, 24:]
    moved = np.abs(encoder.encode_maps(changed)[0].astype(float) - maps[0]).sum(1)
    assert all(np.unravel_index(one.argmax(), (4, 4)) == (0, 3) for one in moved)
    masks = RNG.random((2, 3, 32, 32)) < 0.5
    ids = np.array([[0, 1, 2], [2, 1, 0]])
    found = encoder.features(images, exemplar_set(ids, masks), mask_size=32)["layer"]
    assert found.shape == (2, 3, 49)
    assert np.isfinite(found).all()


def spatial(batch=4):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 5, 3, stride=4, padding=1), nn.ReLU())
    spec = InputSpec(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return Encoder(LoadedModel(module, spec, ["1"], []), kind="spatial", batch_size=batch)


def test_spatial_encoder():
    images = RNG.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    masks = RNG.random((3, 2, 16, 16)) < 0.5
    masks[1, 1] = False
    masks[2, 0] = masks[0, 0]
    ids = np.array([[0, 1], [2, 3], [0, -1]])
    encoder, seen = spatial(), []
    encoder.model.module.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    found = encoder.features(images, exemplar_set(ids, masks), mask_size=16)["layer"]
    assert found.shape == (3, 2 * 16, 5)
    assert sum(seen) == 3, "equal image and mask once, empty masks and slots never"
    with torch.no_grad():
        black = np.where(masks[0, 1][..., None], images[1], 0).astype(np.uint8)
        expected = encoder.model.module(prepare(black[None], encoder.model.input))
    np.testing.assert_allclose(found[0, 16:], expected[0].flatten(1).T, atol=1e-2)
    np.testing.assert_array_equal(found[2, :16], found[0, :16])
    assert (found[1, 16:] == 0).all()
    assert (found[2, 16:] == 0).all()
    small = spatial(1).features(images, exemplar_set(ids, masks), mask_size=16)["layer"]
    np.testing.assert_allclose(small, found, atol=1e-2)
    assert encoder.hash != Encoder(encoder.model).hash
    with pytest.raises(UserError, match="every mask is empty"):
        encoder.features(images, exemplar_set(ids, masks & False), mask_size=16)
    with pytest.raises(UserError, match="did you mean 'spatial'"):
        Encoder(encoder.model, kind="spacial")
