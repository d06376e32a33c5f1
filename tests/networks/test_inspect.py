"""Looking inside a network before describing it."""

import pytest
import torch
import yaml
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.inspect import inspect_layers, suggest
from milan_core.networks.inspect_entry import built_in_entry, describe_layers
from milan_core.networks.minis.cnn import resnet_mini
from milan_core.networks.probe.settle import settle
from milan_core.networks.zoo import load_network
from networks.outputs import layer_outputs

BLOCK = ["128", "x", "4", "x", "4", "128", "b", "c", "h", "w"]  # output, units, axes


def test_table_and_entry():
    text = describe_layers("milan_core.networks.minis.cnn:resnet_mini", {"classes": 3}, 64)
    table, entry = text.split("\n\n")
    rows = {line.split()[0]: line for line in table.splitlines()}
    assert rows["blocks.4"].split()[1:] == ["ResidualBlock", *BLOCK]
    assert rows["fc"].split()[1:] == ["Linear", "3", "3", "b", "c"]
    assert "does not run by itself" in rows["blocks"]
    model = yaml.safe_load(entry)["my_network"]
    assert model["layers"] == ["stem.0", *(f"blocks.{i}" for i in range(6))]
    assert model["kwargs"] == {"classes": 3}


def test_a_layer_that_runs_twice_is_marked():
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.resnet18().train()
    seen = inspect_layers(model, torch.zeros(1, 3, 64, 64))
    assert seen["layer1.0.relu"].runs == 2
    assert not seen["layer1.0.relu"].usable
    assert list(suggest(seen)) == ["conv1", "layer1", "layer2", "layer3", "layer4"]
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_wrong_size_gets_a_sentence():
    with pytest.raises(UserError, match=r"cannot run on input of shape \(1, 3, 2, 2\)"):
        describe_layers("milan_core.networks.minis.cnn:alexnet_mini", {"classes": 3}, 2)
    model = resnet_mini(3)
    with pytest.raises(UserError):
        inspect_layers(model, torch.zeros(1, 1, 8, 8))
    assert not any(module._forward_hooks for module in model.modules())


def units_of_the_entry(text, batch, **changes):
    """Units of each layer of the printed entry, loaded as it stands, probed and run once."""
    entry = yaml.safe_load(text.split("\n\n")[1])["my_network"]
    network = load_network(entry, **changes)
    settle(network, batch, lambda rows: rows)
    outputs = layer_outputs(network.module, network.layers, batch)
    return {name: network.layout.maps(out, name)[0].shape[1] for name, out in outputs.items()}


IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_channels_last():
    text = describe_layers("torchvision:swin_t", {}, 64)
    assert "channels_last" not in text.split("\n\n")[1], "mining finds it out"
    found = units_of_the_entry(text, IMAGE, weights={"source": "random"})
    assert list(found) == [f"features.{i}" for i in range(8)]
    assert list(found.values()) == [96, 96, 192, 192, 384, 384, 768, 768]
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["features.1"][-5:] == ["96", *"bhwc"]
    assert rows["features.0.0"][-5:] == ["96", *"bchw"], "the first convolution has them first"


class Windows(nn.Module):
    """A layer whose rows are windows, behind one that is a map."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.mlp = nn.Linear(6, 5)

    def forward(self, x):
        x = self.conv(x)
        b, c, h, w = x.shape
        rows = x.reshape(b, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 3, 5, 1)
        return self.mlp(rows.reshape(-1, 64, c)).mean((1, 2))


def test_a_layer_that_mining_refuses_is_marked_and_not_suggested():
    text = describe_layers(f"{__name__}:Windows", {}, 32)
    assert "refused: axis 0 has 16 rows an image, such as windows" in text
    assert '# axes of mlp: "(b y x) (h w) c", if it is that' in text
    assert units_of_the_entry(text, IMAGE[:, :, :32, :32]) == {"conv": 6}


class Alone(nn.Module):
    """A network that takes one image at a time, as many exported programs do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        if len(x) != 1:
            raise ValueError("one image")
        return self.conv(x)


def test_without_the_probe_the_table_says_that_it_guesses():
    text = describe_layers(f"{__name__}:Alone", {}, 32)
    assert "# guessed from one pass, as the probe cannot run: " in text
    assert 'layers: ["conv"]' in text


def test_blocks_that_turn_channels_inside_are_channels_first():
    text = describe_layers("torchvision:convnext_tiny", {}, 64)
    assert "channels_last" not in text.split("\n\n")[1]
    found = units_of_the_entry(text, IMAGE, weights={"source": "random"})
    assert list(found.values()) == [96, 96, 192, 192, 384, 384, 768, 768]


class Twice(nn.Module):
    """One convolution that runs two times."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.conv(torch.relu(self.conv(x)))


def test_a_layer_that_runs_twice_is_named_by_its_runs():
    text = describe_layers(f"{__name__}:Twice", {}, 64)
    assert "runs 2 times: conv@call1 or conv@call2, or the block" in text
    assert units_of_the_entry(text, IMAGE) == {"conv@call1": 3, "conv@call2": 3}


def test_tokens_of_a_hub(tmp_path):
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 16}
    config = Dinov2WithRegistersConfig(image_size=64, num_register_tokens=4, **tiny)
    Dinov2WithRegistersModel(config).save_pretrained(tmp_path)
    text = describe_layers(f"hf:{tmp_path}", {}, 64)
    assert "tokens: {class_tokens: 5}" in text
    assert set(units_of_the_entry(text, IMAGE).values()) == {16}


def test_generators():
    kwargs = {"channels": 8, "classes": 5}
    text = describe_layers("milan_core.networks.adapters.biggan:generator", kwargs)
    assert "input: {kind: latents}" in text
    found = units_of_the_entry(text, torch.cat([torch.randn(1, 140), torch.ones(1, 1)], 1))
    assert [found[f"layer{i}"] for i in range(6)] == [128, 64, 64, 32, 16, 8]
    named = yaml.safe_load(built_in_entry("biggan_imagenet"))["my_network"]
    changes = {"weights": {"source": "random"}, "kwargs": kwargs}
    assert load_network(named, **changes).layers == [f"layer{i}" for i in range(6)]
