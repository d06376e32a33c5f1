"""Networks whose units cannot all be ablated by one method: joins, branches, tokens, pairs."""

from collections import namedtuple

import torch
import torch.nn.functional as F
from torch import nn

from milan_core.networks.minis.cnn import alexnet_mini, resnet_mini
from milan_core.networks.trace import first_tensor

CLASSES, IMAGES = 5, 13


def images(channels=3, size=32, count=IMAGES):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, size, size, generator=generator)


def settled(model, batch):
    """Random weights, normalization fitted to the batch, classes that are really predicted."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    with torch.no_grad():
        for _ in range(20):
            model.train()(batch)
        logits = first_tensor(model.eval()(batch), "output")
        last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        last.bias -= logits.mean(0)
    return model


class InPlaceJoin(nn.Module):
    """Shortcut after the main branch, joined in place: what neither stack nor vmap can carry."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.main = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(inplace=True))
        self.short = nn.Conv2d(6, 8, 1)
        self.relu = nn.ReLU(inplace=True)  # called twice
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.relu(self.stem(x))
        y = self.main(x)
        y += self.short(x)
        return self.fc(self.relu(y).mean((2, 3)))


class Branches(nn.Module):
    """Two branches that meet by concatenation; one layer gives a tuple, the network a mapping."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 4, 3, padding=1)
        self.right = PairLayer()
        self.join = nn.Conv2d(9, 7, 3, padding=1)
        self.fc = nn.Linear(7 * 4, CLASSES)

    def forward(self, x):
        left = F.relu(self.left(x))
        right, factor = self.right(x)
        x = F.relu(self.join(torch.cat([left, right * factor], 1)))
        return {"logits": self.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))}


class PairLayer(nn.Module):
    pair = namedtuple("pair", ["maps", "factor"])

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x):
        return self.pair(self.conv(x), 2.0)


class Tokens(nn.Module):
    """A transformer layer on patches: units are the last axis."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, stride=8)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        count = x.shape[0]  # a size that is known before the copies are made
        return self.fc(self.block(self.patch(x).reshape(count, 16, -1).mT).mean(1))


class ValueDependent(nn.Module):
    """Looks at its numbers: no method but whole forward passes is allowed to serve it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x):
        x = self.conv(x)
        x = x - x.mean()  # over the batch as well: copies would influence each other
        return self.head(F.relu(x).mean((2, 3)).clamp(max=float(x.std())))


NETWORKS = {
    "residual": (lambda: resnet_mini(CLASSES, (4, 5, 6)), ["blocks.*"]),
    "inside blocks": (
        lambda: resnet_mini(CLASSES, (4, 5, 6)),
        ["stem", "blocks.1.body.0", "blocks.2.shortcut.0", "blocks.2", "blocks.5.body"],
    ),
    "pooling between": (lambda: alexnet_mini(CLASSES, (4, 5, 5, 5, 4)), ["features.*"]),
    "join in place": (InPlaceJoin, ["stem", "main", "main.0", "short"]),
    "branches": (Branches, ["left", "right", "join"]),
    "tokens": (Tokens, ["patch", "block"]),
    "values": (ValueDependent, ["conv"]),
}
