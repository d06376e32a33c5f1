"""Networks and images whose activations differ from one pass to the next are refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from networks.probe.test_forms import INPUTS, mined, seeded


class Dropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, x):
        return self.b(F.dropout(self.a(x), 0.5, training=True))


class Rarely(Dropout):
    """An image's branch is left out in one of twenty cases."""

    def forward(self, x):
        kept = (torch.rand(len(x), 1, 1, 1) > 0.05).float()
        return self.b(self.a(x) * kept)


class Private(Dropout):
    """The same, more often, with a generator of its own."""

    def __init__(self):
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def forward(self, x):
        kept = (torch.rand(len(x), 1, 1, 1, generator=self.random) > 0.05).float()
        return self.b(self.a(x) * kept)


class Company(Dropout):
    def forward(self, x):
        return self.b(F.batch_norm(self.a(x), None, None, training=True))


class Crowded(Dropout):
    """Only a batch of more than ten images changes anything, as capacities of experts do."""

    def forward(self, x):
        return self.b(self.a(x) * (1 if len(x) <= 10 else 0.9))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Dropout, "'b' answers differently each time.*factory or its `kwargs`"),
        (Rarely, "'b' answers differently each time"),
        (Private, "'b' answers differently each time"),
        (Company, "'b' gives an image other values in other company.*BatchNorm.*`kwargs`"),
        (Crowded, "'b' gives an image other values in other company"),
    ],
)
def test_answers_that_change_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        mined(seeded(make), "b", batch_size=30)
    assert mined(seeded(make), "a").units == {"a": 8}, "layers before it can be mined"


def test_random_numbers_without_effect_are_no_fault():
    class Idle(Dropout):
        def forward(self, x):
            return self.b(self.a(x) + 0 * torch.rand(1))

    assert mined(seeded(Idle), "b").units == {"b": 8}


def test_masked_autoencoders_are_refused():
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTMAEConfig(
        image_size=32,
        patch_size=4,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
    )
    model = seeded(lambda: transformers.ViTMAEModel(config))
    layer = "layers.0" if hasattr(model, "layers") else "encoder.layer.0"
    with pytest.raises(UserError, match="answers differently each time"):
        mined(model, layer)


class Flips(Dataset):
    """The same index gives one of two images."""

    def __len__(self):
        return 30

    def __getitem__(self, index):
        image = INPUTS[index]
        return image.flip(2) if torch.rand(()) < 0.1 else image


class Shuffles(torch.utils.data.Sampler):
    """Another order each time, though it is no `RandomSampler`."""

    def __iter__(self):
        return iter(torch.randperm(30).tolist())

    def __len__(self):
        return 30


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (Flips(), "another image when the same index is read again"),
        (DataLoader(Flips(), batch_size=30), "a second reading gave others"),
        (DataLoader(TensorDataset(INPUTS), 10, sampler=Shuffles()), "shuffles.*use shuffle=False"),
        (DataLoader(TensorDataset(INPUTS), 10, shuffle=True), "shuffles.*use shuffle=False"),
    ],
)
def test_images_that_are_drawn_at_random_are_refused(images, sentence):
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    with pytest.raises(UserError, match=sentence):
        mine(model, images, "0", k=3)


def test_a_fixed_order_is_mined_whatever_its_class():
    class Falling(torch.utils.data.RandomSampler):
        def __iter__(self):
            return iter(range(29, -1, -1))

    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3)))
    dataset = TensorDataset(INPUTS)
    falling = mine(model, DataLoader(dataset, 7, sampler=Falling(dataset)), "0", k=3)
    assert np.array_equal(29 - falling.ids("0"), mine(model, INPUTS, "0", k=3).ids("0"))
