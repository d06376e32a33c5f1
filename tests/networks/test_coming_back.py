"""What passes set in a network comes back: flags, weights that merge, where its tensors are."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.describers.evidence import stream
from milan_core.exemplars.merge import merge
from milan_core.exemplars.mine import mine
from milan_core.exemplars.options import MiningRun
from milan_core.exemplars.pooled import pool_dataset
from milan_core.exemplars.sources import open_source
from milan_core.networks.ablation.engine import AblationEngine
from milan_core.networks.options import InputSpec
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import LoadedModel
from networks.test_keeping import IMAGES, FromImages, Merging, Net, largest, seeded


class Flagged(FromImages):
    """Notes in a buffer that its scale was taken, in place."""

    def __init__(self):
        super().__init__()
        del self.ready
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def forward(self, x):
        x = self.a(x)
        if not self.ready:
            self.scale.data.copy_(1 / x.std((0, 2, 3), keepdim=True))
            self.ready.fill_(True)
        return self.b(x * self.scale)


def test_a_flag_that_is_set_in_place_comes_back():
    model = seeded(Flagged)
    for _ in range(2):
        with pytest.raises(UserError, match=r"Flagged changes its own parameters.*ActNorm"):
            mine(model, IMAGES, "b", k=4)
    assert not model.ready
    assert bool((model.scale == 1).all())


class Bounded(Net):
    """Bounds the norm of its weights, as EEGNet does."""

    def forward(self, x):
        self.b.weight.data = torch.renorm(self.b.weight.data, 2, 0, 0.3)
        return super().forward(x)


class Adding(Net):
    def forward(self, x):
        self.a.bias.data += 0.01
        return super().forward(x)


def test_bounds_on_weights_are_taken_and_sums_are_not():
    model = seeded(Bounded)
    norm = model.b.weight.flatten(1).norm(dim=1).max()
    found = mine(model, IMAGES, "b", k=4, batch_size=8)
    assert np.allclose(found.activations("b"), largest(Bounded, "b"), atol=1e-5)
    assert model.b.weight.flatten(1).norm(dim=1).max() < 0.9 * norm
    with pytest.raises(UserError, match="Adding changes its own parameters"):
        mine(seeded(Adding), IMAGES, "b", k=4)


@pytest.mark.parametrize(
    "fail",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        lambda: torch.empty(2**55),
        lambda: np.empty(2**58),
    ],
    ids=["gpu", "torch", "numpy"],
)
def test_passes_that_run_out_of_memory_say_nothing_of_pairs(fail):
    class Large(Net):
        def forward(self, x):
            if len(x) == 5 and isinstance(error := fail(), Exception):
                raise error
            return super().forward(x)

    with pytest.raises(UserError, match=r"cannot run on input of shape \(5, 3, 8, 8\)") as caught:
        mine(seeded(Large), IMAGES, "b", k=4)
    assert "pairs" not in str(caught.value)


def test_weights_are_merged_once_and_come_back_to_the_bit():
    merged = []

    class Lora(Merging):
        def train(self, mode=True):
            if self.merged == mode:
                merged.append(not mode)
            return super().train(mode)

    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), Lora(192, 6)).train()
    nn.init.normal_(model[1].update)
    weight = model[1].weight.detach().clone()
    everything = IMAGES.flatten(1) @ (weight + model[1].update.detach()).T + model[1].bias.detach()

    def once(run):
        merged.clear()
        found = run()
        assert merged == [True, False]
        assert torch.equal(model[1].weight, weight)
        assert model.training
        return found

    halves = [
        once(lambda index=index: mine(model, IMAGES, "1", k=4, batch_size=4, shard=(index, 2)))
        for index in (0, 1)
    ]
    found, expected = merge(halves).activations("1"), everything.topk(4, 0).values.T
    assert np.allclose(found, expected, rtol=1e-4)
    loaded = LoadedModel(model, InputSpec(), ["1"], [])
    source = open_source(IMAGES, None)
    once(lambda: pool_dataset(loaded, IMAGES, ("max",), MiningRun(batch_size=8)))
    once(lambda: stream(loaded, source, lambda *_: None, 8, "cpu"))
    labels = everything.argmax(1).numpy()
    engine = once(lambda: AblationEngine(model, "1", IMAGES, labels, 32, replacement="mean"))
    assert once(engine.accuracy) == 1
    once(lambda: engine.right([()], 0, 16))


def test_a_network_that_has_moved_is_left_where_it_is():
    model = nn.Sequential(nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1)).eval()
    trace = Trace(model, "1", lambda *_: None)
    for dtype in (torch.float32, torch.float64):
        model.to(dtype)
        for _ in range(2):
            with torch.no_grad(), trace:
                trace(IMAGES)
        assert model[1].running_mean.dtype == dtype
