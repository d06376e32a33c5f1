"""Ablations of networks whose parts keep a map, or store it sparse or in 8 bits."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.networks.ablation.engine import AblationEngine
from milan_core.networks.ablation.images import other_images
from milan_core.networks.ablation.recording import Plan
from milan_core.networks.ablation.replay import Memory

IMAGES = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5


class Encoder(nn.Module):
    """Keeps the map of its first layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        self.skip = self.a(x)
        return self.b(torch.relu(self.skip))


class ByAttribute(nn.Module):
    """The head reads a map that a part has kept, as many rows of it as there are."""

    def __init__(self):
        super().__init__()
        self.encoder, self.mid = Encoder(), nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        y = self.mid(self.encoder(x))
        maps = torch.cat([torch.relu(y), torch.relu(self.encoder.skip[: len(y)])], 1)
        return self.head(maps.mean((2, 3)))


class Average(nn.Module):
    """Keeps an average of its last map; what joins there takes `vmap`."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1), nn.Linear(6, 5)
        self.mean = torch.zeros(())

    def forward(self, x):
        a = torch.relu(self.a(x))
        b = torch.relu(self.b(a))
        self.mean = 0.9 * self.mean + b.mean()
        return self.head((a + b).mean((2, 3)))


class Stored(nn.Module):
    """The maps of a layer are sparse, or codes of 8 bits."""

    def __init__(self, store):
        super().__init__()
        self.a, self.head, self.store = nn.Conv2d(3, 6, 1), nn.Linear(6, 5), nn.Identity()
        self.store.forward = store

    def forward(self, x):
        x = self.store(torch.relu(self.a(x)))
        return self.head((x.to_dense() if x.is_sparse else x.dequantize()).mean((2, 3)))


def sparse(x):
    return x.to_sparse()


def codes(x):
    return torch.quantize_per_tensor(x, 0.01, 0, torch.qint8)


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (ByAttribute, ["encoder.a", "mid"]),
        (Average, ["a", "b"]),
        (lambda: Stored(sparse), ["store"]),
        (lambda: Stored(codes), ["store"]),
    ],
    ids=["attribute", "average", "sparse", "codes"],
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_ablations_are_those_of_whole_passes(make, layers):
    torch.manual_seed(1)
    model = make().eval()
    with torch.no_grad():
        model.head.bias -= model(IMAGES).mean(0)
        labels = model(IMAGES).argmax(1).numpy()
    engine = AblationEngine(model, layers, IMAGES, labels, 32)
    found = engine.single(engine.units).tolist()
    expected = [np.mean(without(model, *unit) == labels) for unit in engine.units]
    assert found == expected
    assert len(set(expected)) > 2
    model(IMAGES)


def without(model, layer, unit):
    """Classes without a unit, by a hook of its own."""

    def hook(module, args, out):
        kind, out = out, out.to_dense() if out.is_sparse else out.clone()
        out = out.dequantize() if out.is_quantized else out
        out[:, unit] = 0
        return sparse(out) if kind.is_sparse else codes(out) if kind.is_quantized else out

    handle = model.get_submodule(layer).register_forward_hook(hook)
    with torch.no_grad():
        batches = [model(part.clone()).argmax(1) for part in IMAGES.split(4)]
    handle.remove()
    return torch.cat(batches).numpy()


def test_resampled_ablations_read_what_the_clean_pass_left():
    torch.manual_seed(1)
    model = ByAttribute().eval()
    with torch.no_grad():
        model.head.bias -= model(IMAGES).mean(0)
    engine = AblationEngine(
        model, "mid", IMAGES, np.zeros(40, np.int64), 32, replacement="resample"
    )
    found = engine.predictions_each([[unit] for unit in engine.units])
    for _, unit in engine.units:
        expected = [replaced(model, rows, unit) for rows in np.arange(40).reshape(-1, 4)]
        assert found[unit].tolist() == np.concatenate(expected).tolist()
    assert len(np.unique(found)) > 2


def replaced(model, rows, unit):
    """Classes of images, with a unit of `mid` as it is for others; by a hook of its own."""
    with torch.no_grad():
        other = model.mid(model.encoder(IMAGES[other_images(40, 0)[rows]]))

        def hook(module, args, out):
            out = out.clone()
            out[:, unit] = other[:, unit]
            return out

        handle = model.mid.register_forward_hook(hook)
        classes = model(IMAGES[rows]).argmax(1).numpy()
        handle.remove()
    return classes


def test_a_pass_lets_go_of_what_the_last_one_left():
    given, alive = [], []

    class Watched(Encoder):
        def forward(self, x):
            x = super().forward(x)
            alive.append(any(tensor() is not None for tensor in given))
            given.append(weakref.ref(self.skip))
            return x

    model = Watched().eval()
    with torch.no_grad():
        plan = Plan.of(model, ["b"], IMAGES)
        for _ in range(2):
            Memory.of(model, plan, IMAGES)
    assert alive == [False, False, False]
