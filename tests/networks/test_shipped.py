"""A captioner's file is data: code that it names is not run."""

import copy
from pathlib import Path

import pytest

from milan_core.captioner.encoder import encoder_of
from milan_core.core.errors import UserError
from milan_core.networks.options import Network
from milan_core.networks.shipped import check_shipped

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
    ],
)
def test_everything_else_that_runs_code_is_refused(change):
    with pytest.raises(UserError, match="it was not run"):
        encoder_of(FromElsewhere(**change))


def test_networks_of_the_package_and_of_hubs_are_named_freely():
    for factory in (MODEL["factory"], "torchvision:resnet18", "timm:resnet18", "hf:OWNER/NAME"):
        check_shipped(Network(**{**copy.deepcopy(MODEL), "factory": factory}), "x")
