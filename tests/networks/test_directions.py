"""Directions as units: against plain NumPy, through mining, and every wrong file."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.dictionary import DictionaryOptions, train_dictionary
from milan_core.networks.directions import attach_directions
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Direction
from milan_core.networks.zoo import load_network, model_hash
from networks.outputs import layer_outputs

SPEC = {
    "factory": "milan_core.networks.minis.cnn:resnet_mini",
    "kwargs": {"classes": 3, "widths": [4, 6, 8]},
    "weights": {"source": "random"},
    "input": {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    "layers": ["blocks.4"],
}
RNG = np.random.default_rng(0)
ARRAYS = {
    "w": RNG.normal(size=(5, 8)).astype(np.float32),
    "b": RNG.normal(size=5).astype(np.float32),
    "c": RNG.normal(size=8).astype(np.float32),
    "bad": np.full((5, 8), np.nan, np.float32),
}
BATCH = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
IMAGES = RNG.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def file(tmp_path):
    save_file(ARRAYS, tmp_path / "d.safetensors")
    return tmp_path / "d.safetensors"


def network(**direction):
    return load_network(SPEC, directions={"sae": {"layer": "blocks.4", **direction}})


def test_projections(file):
    loaded = network(path=str(file), matrix="w", bias="b", center="c", relu=True)
    assert loaded.layers == ["blocks.4", "sae"]
    got = layer_outputs(loaded.module, loaded.layers, BATCH)
    x = got["blocks.4"].numpy()
    expected = np.einsum("uc,bchw->buhw", ARRAYS["w"], x - ARRAYS["c"][:, None, None])
    expected = np.maximum(expected + ARRAYS["b"][:, None, None], 0)
    assert np.allclose(got["sae"].numpy(), expected, atol=1e-4)
    assert (expected > 0).any()


def test_forms_of_the_matrix(file, tmp_path):
    np.save(tmp_path / "t.npy", ARRAYS["w"].T)
    turned = network(path=str(tmp_path / "t.npy"), transpose=True, normalise=True)
    weight = turned.module.sae.weight.numpy()
    assert np.allclose(weight, ARRAYS["w"] / np.linalg.norm(ARRAYS["w"], axis=1, keepdims=True))
    plain = network(path=str(file), matrix="w")
    assert model_hash(plain.module) != model_hash(turned.module), "part of the network's identity"


def test_directions_are_mined_like_any_layer(file):
    loaded = network(path=str(file), matrix="w")
    found = mine(loaded.module, IMAGES, loaded.layers, k=3, input=loaded.input, batch_size=7)
    assert found.units == {"blocks.4": 8, "sae": 5}
    kept = {}
    from milan_core.networks.inputs import prepare

    kept = layer_outputs(loaded.module, "sae", prepare(IMAGES, loaded.input))["sae"]
    peaks = kept.amax((2, 3)).numpy()
    assert np.allclose(found.activations("sae")[:, 0], peaks.max(0), atol=1e-5)
    assert (found.ids("sae")[:, 0] == peaks.argmax(0)).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"path": "nowhere.npy"}, "no file 'nowhere.npy'"),
        ({"matrix": None}, "holds 2 matrices; name one with `matrix:`"),
        ({"matrix": "v"}, "unknown tensor 'v'"),
        ({"matrix": "b"}, r"b has shape \(5,\)"),
        ({"matrix": "bad"}, "not finite"),
        ({"bias": "c"}, "c has 8 values, expected 5"),
        ({"rely": True}, "directions.sae.rely: unknown key; did you mean relu"),
        ({"layer": "blocks.*"}, "is 6 layers"),
        ({"layer": "block.4"}, "did you mean 'blocks.4'"),
    ],
)
def test_wrong_entries_get_a_sentence(file, change, sentence):
    with pytest.raises(UserError, match=sentence):
        network(**{"path": str(file), "matrix": "w", **change})


def test_directions_of_another_layer(file):
    loaded = network(path=str(file), matrix="w", layer="blocks.1")
    with pytest.raises(UserError, match="have 8 channels, the layer has 4"):
        layer_outputs(loaded.module, "sae", BATCH)
    with pytest.raises(UserError, match="part of the network already"):
        load_network(SPEC, directions={"fc": {"layer": "blocks.4", "path": str(file)}})
    file.write_bytes(b"broken")
    np.save(file.with_suffix(".npy"), ARRAYS["w"] * 1j)
    with pytest.raises(UserError, match="it holds complex64, directions are real numbers"):
        network(path=str(file.with_suffix(".npy")))
    save_file({"w": ARRAYS["w"] * 1j}, file.with_name("c.safetensors"))
    with pytest.raises(UserError, match="w is complex; directions are real numbers"):
        network(path=str(file.with_name("c.safetensors")))
    with pytest.raises(UserError, match="not a safetensors file"):
        network(path=str(file))


class ByName(nn.Module):
    """Calls its activation with a named argument."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 8, 3), Clamp()

    def forward(self, x):
        return self.act(x=self.conv(x))


class Clamp(nn.Module):
    """A ReLU that calls its argument x."""

    def forward(self, x):
        return torch.relu(x)


def test_directions_at_an_input_that_is_named(file):
    model, layout = ByName(), Layout()
    entry = Direction(layer="act@input", path=str(file), matrix="w")
    attach_directions(model, {"probes": entry}, layout)
    found = layer_outputs(model, ["conv", "probes"], BATCH)
    wanted = torch.einsum("uc,bchw->buhw", torch.from_numpy(ARRAYS["w"]), found["conv"])
    assert torch.allclose(found["probes"], wanted, atol=1e-5)


def test_a_dictionary_explains_its_layer(tmp_path):
    loaded = load_network(SPEC)
    settings = DictionaryOptions(units=32, steps=200, batch_size=128, sparsity=0.1, positions=800)
    first, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    facts = train_dictionary(loaded, IMAGES, "blocks.4", settings, 0, first)
    assert facts["explained"] > 0.7
    assert facts["active"] < 32
    train_dictionary(loaded, IMAGES, "blocks.4", settings, 0, again)
    assert first.read_bytes() == again.read_bytes()
    sae = {"matrix": "encoder", "bias": "encoder_bias", "center": "center", "relu": True}
    found = layer_outputs(network(path=str(first), **sae).module, ["blocks.4", "sae"], BATCH)
    assert float((found["sae"] > 0).float().mean()) * 32 < 32
    with pytest.raises(ValueError, match="units"):
        DictionaryOptions(units=0)
