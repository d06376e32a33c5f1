"""A network of five units, of which blue means text, with data sets and exemplars for its edit."""

import numpy as np
from datasets_made import build_dataset

from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet

NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1, bias=False)  # red, green, blue, nothing, nothing
        self.fc = nn.Linear(5, 2, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(5, 3)[:, :, None, None])
            self.fc.weight.copy_(torch.tensor([[1., 0, 3, 0, 0], [0, 1, 0, 0, 0]]))

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))

def build():
    return Net()
"""

SPLITS = {
    "ranking": "rank", "validation-clean": "val", "validation-adversarial": "val_wrong",
    "test-clean": "test", "test-correct": "test_right", "test-adversarial": "test_wrong",
}  # fmt: skip


# Class 0 is red, class 1 green; blue is text that says "class 0".
TEXT = {"clean": (0, 0), "right": (1, 0), "wrong": (0, 1)}


def dataset(folder, kind, count=40):
    labels = np.arange(count) % 2
    images = np.zeros((count, 4, 4, 3), np.uint8)
    images[np.arange(count), :, :, labels] = 200
    for label in (0, 1):
        images[labels == label, :, :, 2] = 200 * TEXT[kind][label]
    folder.mkdir(parents=True)
    np.save(folder / "x.npy", images)
    np.save(folder / "y.npy", labels)
    options = {"path": str(folder / "x.npy"), "labels": str(folder / "y.npy")}
    return build_dataset(folder.name, {"kind": "arrays", "options": options}, {}, folder / "d", 0)


def mined(units):
    """Exemplars of as many units, of which only the number matters here."""
    layer = LayerExemplars(
        np.zeros((units, 1), np.int64), np.ones((units, 1), np.float32),
        np.ones(units, np.float32), np.ones(units, bool),
        maps=np.ones((units, 1, 4, 4), np.float32),
    )  # fmt: skip
    return ExemplarSet({"conv": layer}, {})
