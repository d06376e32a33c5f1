"""A captioner's file is data: code that it names is not run."""

import copy
import re
from pathlib import Path

import pytest

from milan_core.captioner.encoder import encoder_of
from milan_core.core.errors import UserError
from milan_core.networks.factories import resolve_factory
from milan_core.networks.options import Network
from milan_core.networks.shipped import BUILDERS, CONVERSIONS, check_shipped

NAMED = re.compile(r"milan_core\.networks\.\w+\.\w+:[a-z]\w*")
ADAPTERS = "milan_core.networks.adapters"
VISION, DINO = f"{ADAPTERS}.huggingface:vision_model", {"architecture": "Dinov2Model"}
MINI = {"factory": "milan_core.networks.minis.cnn:resnet_mini", "kwargs": {"classes": 2}}
MODEL = {**MINI, "layers": ["blocks.0"], "weights": {"source": "random"}}


class FromElsewhere:
    """A captioner folder that somebody sent."""

    origin = Path("sent")

    def __init__(self, **model):
        self.meta = {"encoder": {"spec": {"model": {**MODEL, **model}, "layers": ["blocks.0"]}}}


@pytest.fixture
def trap(tmp_path):
    """A file that must not appear, and the command that would make it."""
    path = tmp_path / "PWNED"
    return path, {"factory": "subprocess:check_output", "kwargs": {"args": ["touch", str(path)]}}


def test_a_factory_of_another_module_is_not_called(trap):
    path, model = trap
    with pytest.raises(UserError, match=r"factory is 'subprocess:check_output', code that did not"):
        encoder_of(FromElsewhere(**model))
    assert not path.exists()


def test_a_user_may_trust_a_file(trap):
    path, model = trap
    with pytest.raises(UserError):  # it ran, and returned no network
        encoder_of(FromElsewhere(**model), trust=True)
    assert path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"factory": "my_net.py:build"},
        {"factory": "/tmp/my_net.py:build"},
        {"factory": "torchscript:net.pt"},
        {"factory": "export:net.pt2"},
        {"factory": "milan_core.core.files:write_text", "kwargs": {"path": "x", "text": "y"}},
        {"factory": "milan_core.networks.minis.../../os:system"},
        {"weights": {"source": "file", "path": "w.pt", "convert": "os:listdir"}},
        {"trust": True},
        {"factory": f"{ADAPTERS}.torchscript:load", "kwargs": {"path": "n.pt", "trust": True}},
        {"factory": f"{ADAPTERS}.exported:load", "kwargs": {"path": "n.pt2", "trust": True}},
        {"factory": f"{ADAPTERS}.hubs:optional", "kwargs": {"module": "this", "use": "x"}},
        {"factory": "timm:resnet18", "kwargs": {"checkpoint_path": "sent"}},
        {"factory": "timm:resnet18", "kwargs": {"pretrained_cfg_overlay": {"file": "sent.pth"}}},
        {"factory": "torchvision:resnet18", "kwargs": {"weights": "a/b"}},
        {"factory": "hf:sent", "kwargs": {"use_safetensors": False, "weights_only": False}},
        {"factory": "hf:OWNER/NAME", "kwargs": {"cache_dir": "/elsewhere"}},
        {"factory": "hf:OWNER/NAME", "kwargs": {"revision": ["x"]}},
        {"factory": VISION, "kwargs": {**DINO, "config": {"attn_implementation": "OWNER/NAME"}}},
        {"factory": VISION, "kwargs": {**DINO, "config": {"model_args": {"file": "sent"}}}},
    ],
)
def test_everything_else_that_runs_code_is_refused(change):
    with pytest.raises(UserError, match="it was not run"):
        encoder_of(FromElsewhere(**change))


@pytest.mark.parametrize(
    ("factory", "kwargs"),
    [
        (MODEL["factory"], {"classes": 2, "widths": [4, 8, 8]}),
        ("torchvision:resnet18", {"weights": "IMAGENET1K_V1"}),
        ("timm:resnet18", {"num_classes": 0, "global_pool": "avg", "img_size": [64, 64]}),
        ("hf:OWNER/NAME", {"pretrained": False, "revision": "refs/pr/1"}),
        (VISION, {**DINO, "config": {"hidden_size": 8, "hidden_act": "gelu"}}),
    ],
)
def test_networks_of_the_package_and_of_hubs_are_named_freely(factory, kwargs):
    check_shipped(Network(**{**copy.deepcopy(MODEL), "factory": factory, "kwargs": kwargs}), "x")


def test_every_network_of_this_package_that_a_configuration_names_may_be_named():
    root = Path(__file__).parents[2]
    files = [root / "milan_core/networks/catalog.yaml", *root.glob("config/**/*.yaml")]
    named = {name for file in files for name in NAMED.findall(file.read_text())}
    assert len(named) > 5
    assert named <= BUILDERS | CONVERSIONS
    assert all(callable(resolve_factory(name)) for name in BUILDERS | CONVERSIONS)
