"""Fingerprints of loaded networks and encoders: equal parameters do not make equal networks."""

import functools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import milan_core as milan
from milan_core.captioner.features.encoder import Encoder
from milan_core.core.errors import UserError
from milan_core.exemplars.merge import merge
from milan_core.networks.fingerprint import network_fingerprint
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel, load_network, model_hash
from networks.test_identity import edit


class Relu(nn.Module):
    """A network whose twin has the same name and parameters."""

    def __init__(self, power=1):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.power = power

    def forward(self, x):
        return torch.relu(self.conv(x)) ** self.power


def twins(change):
    """Two networks of equal class name and parameters that compute something else."""
    torch.manual_seed(0)
    pair = [Relu(), Relu()]
    pair[1].load_state_dict(pair[0].state_dict())
    if change == "an attribute":
        pair[1].power = 2
    elif change == "a method of the object":
        pair[1].forward = lambda x: torch.abs(pair[1].conv(x))
    elif change == "a module without parameters":
        pair = [
            nn.Sequential(one.conv, act)
            for one, act in ((pair[0], nn.ReLU()), (pair[1], nn.GELU()))
        ]
    elif change == "an option of a module":
        pair = [nn.Sequential(pair[0].conv, nn.LeakyReLU(slope)) for slope in (0.1, 0.2)]
    elif change == "a class from a prompt":
        pair = []
        for name in ("relu", "abs"):
            space = {"__name__": "nowhere"}
            exec(FILES.replace("getattr(torch, self._act)", f"torch.{name}"), space)
            torch.manual_seed(0)
            pair.append(space["Net"]())
    return pair


CHANGES = [
    "an attribute",
    "a method of the object",
    "a module without parameters",
    "an option of a module",
    "a class from a prompt",
]


@pytest.mark.parametrize("change", CHANGES)
def test_shards_of_two_networks_with_equal_parameters_do_not_merge(change):
    images = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    pair = twins(change)
    assert model_hash(pair[0]) == model_hash(pair[1]), "their parameters cannot tell them apart"
    layers = [name for name, _ in pair[0].named_children()][-1:]

    def shard(network, part):
        return milan.mine(network, images, layers, k=2, batch_size=4, shard=(part, 2))

    first = shard(pair[0], 0)
    assert milan.merge([first, shard(pair[0], 1)]).complete
    with pytest.raises(UserError, match="do not belong together: model_hash"):
        milan.merge([first, shard(pair[1], 1)])


FILES = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, act="relu"):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self._act = nn.Conv2d(3, 4, 3), act
    def forward(self, x):
        return getattr(torch, self._act)(self.conv(x))
def other():
    return Net("abs")
"""


def test_encoders_that_differ_in_source_arguments_or_factory_have_other_digests(tmp_path):
    (tmp_path / "net.py").write_text(FILES)
    entry = {"factory": f"{tmp_path}/net.py:Net", "layers": ["conv"], "input": {"size": 12}}

    def digests(**changes):
        loaded = load_network({**entry, **changes})
        return model_hash(loaded.module), network_fingerprint(loaded), Encoder(loaded).hash

    plain = digests()
    assert digests() == plain
    for changes in ({"kwargs": {"act": "abs"}}, {"factory": f"{tmp_path}/net.py:other"}):
        assert digests(**changes)[0] == plain[0]
        assert digests(**changes)[1] != plain[1]
        assert digests(**changes)[2] != plain[2]
    edit(tmp_path / "net.py", "getattr(torch, self._act)", "torch.abs")
    assert digests()[0] == plain[0]
    assert digests()[1] != plain[1]
    assert digests()[2] != plain[2]


def test_a_released_encoder_keeps_its_digest():
    """Converted captioners name it."""
    from milan_core.core.files import canonical_json, text_hash

    module = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    loaded = LoadedModel(module, InputSpec(), ["0"], [])
    facts = [model_hash(module), ["0"], InputSpec().facts(), []]
    assert Encoder(loaded).hash == text_hash(canonical_json(facts), 16)


def test_encoding_does_not_change_the_digest(tmp_path):
    (tmp_path / "net.py").write_text(FILES.replace("def forward(self, x):",
        "def forward(self, x):\n        self.calls = getattr(self, 'calls', 0) + 1"))  # fmt: skip
    entry = {"factory": f"{tmp_path}/net.py:Net", "layers": ["conv"], "input": {"size": 12}}
    encoder, other = Encoder(load_network(entry)), Encoder(load_network(entry))
    encoder.encode_maps(np.zeros((2, 12, 12, 3), np.uint8))
    assert encoder.hash == other.hash


class Choosing(nn.Module):
    """What it computes stands in attributes that are no numbers or words."""

    def __init__(self, act=torch.relu, mean=0.0):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 4, 3), act
        self.register_buffer("mean", torch.tensor(mean), persistent=False)

    def forward(self, x):
        return self.act(self.conv(x - self.mean))


@dataclass(frozen=True)
class Settings:
    factor: float = 1.0


def scaled(factor):
    def act(x):
        return act and x * factor

    return act


def hooked(change):
    model = Choosing()
    model.conv.register_forward_hook(change)
    return model


@dataclass(slots=True)
class Slots:
    factor: float = 1.0


def with_settings(settings):
    model = Choosing()
    model.settings = settings
    return model


STEER = torch.tensor([1.0, 0, 0, 0])
ALIKE = {  # pairs of networks with equal parameters that differ in what they compute
    "operations of torch": (Choosing, lambda: Choosing(torch.tanh)),
    "arguments around a function": (lambda: Choosing(scaled(2)), lambda: Choosing(scaled(3))),
    "defaults": (
        lambda: Choosing(lambda x, by=2: x * by),
        lambda: Choosing(lambda x, by=3: x * by),
    ),
    "partial": (
        lambda: Choosing(functools.partial(nn.functional.leaky_relu, negative_slope=0.1)),
        lambda: Choosing(functools.partial(nn.functional.leaky_relu, negative_slope=0.2)),
    ),
    "buffers that are not saved": (Choosing, lambda: Choosing(mean=0.5)),
    "settings": (lambda: with_settings(Settings(1.0)), lambda: with_settings(Settings(2.0))),
    "settings in slots": (lambda: with_settings(Slots(1.0)), lambda: with_settings(Slots(2.0))),
    "a hook": (Choosing, lambda: hooked(lambda module, args, out: -out)),
    "a hook with a vector": (
        lambda: hooked(lambda module, args, out, by=STEER: out + by[:, None, None]),
        lambda: hooked(lambda module, args, out, by=2 * STEER: out + by[:, None, None]),
    ),
}


@pytest.mark.parametrize("differ", ALIKE)
def test_what_a_network_computes_by_counts(differ):
    def shard(make, index):
        torch.manual_seed(0)
        return milan.mine(make(), images, "conv", k=2, batch_size=2, shard=(index, 2))

    images = torch.rand(4, 3, 8, 8)
    one, two = ALIKE[differ]
    assert merge([shard(one, 0), shard(one, 1)]).units == {"conv": 4}
    with pytest.raises(UserError, match="model"):
        merge([shard(one, 0), shard(two, 1)])


@dataclass
class Loaded:
    """Settings as transformers keeps them, and a state."""

    factor: float = 1.0
    _name_or_path: str = ""
    state: torch.Tensor | None = None


def on(device):
    return functools.partial(scaled, device=torch.device(device))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (
            lambda: with_settings(Loaded(1.0, "/a/net")),
            lambda: with_settings(Loaded(1.0, "/b/net")),
        ),
        (
            lambda: with_settings(Loaded()),
            lambda: with_settings(Loaded(state=torch.ones(2))),
        ),
        (lambda: Choosing(on("cpu")), lambda: Choosing(on("cuda"))),
    ],
    ids=["folder", "state", "device"],
)
def test_places_and_what_was_computed_do_not_count(one, two):
    assert fingerprint(one) == fingerprint(two)


def test_sets_in_code_count_in_no_order():
    """Those of texts come in another order in each process; these numbers do so by their code."""
    orders = ["{0, 8}", "{8, 0}", "{8, 1}"]
    one, two, other = (eval(f"lambda m, args, out: out * (out.ndim in {o})") for o in orders)
    assert str(one.__code__.co_consts) != str(two.__code__.co_consts)
    assert fingerprint(lambda: hooked(one)) == fingerprint(lambda: hooked(two))
    assert fingerprint(lambda: hooked(one)) != fingerprint(lambda: hooked(other))


def fingerprint(make):
    torch.manual_seed(0)
    return network_fingerprint(LoadedModel(make(), InputSpec(), ["conv"], []))


def test_a_digest_leaves_tensors_as_they_are():
    model = nn.Module()
    model.register_buffer("low", torch.zeros(0))
    model_hash(model)
    model.low.resize_(4)  # as observers of quantization do
    assert model.low.shape == (4,)
