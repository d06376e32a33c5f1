"""What `milan.describe` and `milan.score` take from Python: as `milan.mine` does, or a sentence."""

import numpy as np
import pytest
import torch
from torch import nn

import milan_core as milan
from milan_core.core.errors import UserError
from milan_core.networks.options import InputSpec
from milan_core.referee.call import dataset_of, network_of


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


def test_an_input_as_in_a_configuration_and_axes(model):
    network, name = network_of(model, "0", {"size": 64}, "", {"0": "b c h w"})
    assert network.input == InputSpec(size=64)
    assert (network.layers, network.layout.axes) == (["0"], {"0": "b c h w"})
    assert name == "Sequential"
    with pytest.raises(UserError, match="input"):
        network_of(model, "0", {"sise": 64}, "")


def test_the_input_of_a_named_network_is_its_own():
    with pytest.raises(UserError, match="a named network has its own"):
        network_of("torchvision:resnet18", "layer4", InputSpec(size=64), "")


def test_what_is_no_network_layer_or_image(model, tmp_path):
    with pytest.raises(UserError, match=r"model: got function; expected a torch.nn.Module"):
        network_of(lambda: model, "0", None, "")
    with pytest.raises(UserError, match="give '0' in place of the module"):
        network_of(model, [model[0]], None, "")
    network, _ = network_of(model, "0", None, "")
    for images in (torch.zeros(2, 3, 8, 8), [np.zeros((8, 8, 3), np.uint8)]):
        with pytest.raises(UserError, match=r"images: got (Tensor|list); expected an array uint8"):
            dataset_of(images, network, tmp_path / "images")


def test_a_loaded_captioner_in_place_of_its_folder(model):
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(UserError, match="captioner: got Sequential; expected its folder or name"):
        milan.describe(model, images, "0", captioner=model)


def test_rows_are_taken_and_a_judge_is_looked_for_at_its_path(model, tmp_path):
    """Nothing of the rows is refused; the judge's folder is what is missing."""
    rows = [{"layer": "0", "unit": 0, "description": "a dog"}]
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3)).astype(np.uint8)
    with pytest.raises(UserError, match="nowhere"):
        milan.score(
            *(model, images, "0", rows),
            judge=tmp_path / "nowhere",
            device=torch.device("cpu"),
            allow_small=True,
        )
