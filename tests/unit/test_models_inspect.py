"""Looking inside a network before describing it."""

import pytest
import torch
import yaml

from milan_core.errors import UserError
from milan_core.models.inspect import describe_layers, inspect_layers, suggest
from milan_core.models.minis import resnet_mini


def test_table_and_entry():
    text = describe_layers("milan_core.models.minis:resnet_mini", {"classes": 3}, 64)
    table, entry = text.split("\n\n")
    rows = {line.split()[0]: line for line in table.splitlines()}
    assert rows["blocks.4"].split()[1:] == ["ResidualBlock", *["128", "x", "4", "x", "4", "128"]]
    assert rows["fc"].split()[1:] == ["Linear", "3", "3"]
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
    assert suggest(seen) == ["conv1", "layer1", "layer2", "layer3", "layer4"]
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_wrong_size_gets_a_sentence():
    with pytest.raises(UserError, match=r"cannot run on input of shape \(1, 3, 2, 2\)"):
        describe_layers("milan_core.models.minis:alexnet_mini", {"classes": 3}, 2)
    model = resnet_mini(3)
    with pytest.raises(UserError):
        inspect_layers(model, torch.zeros(1, 1, 8, 8))
    assert not any(module._forward_hooks for module in model.modules())
