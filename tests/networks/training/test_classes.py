"""A test set whose classes have other numbers than those of the training set is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.networks.options import Architecture
from milan_core.networks.training.learn import learn
from milan_core.networks.weight_options import Training

SPEC = {
    "factory": "milan_core.networks.minis.cnn:alexnet_mini",
    "kwargs": {"classes": 3, "widths": [4, 6, 8, 8, 6]},
    "input": {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
}


class Images(SimpleNamespace):
    def __len__(self):
        return len(self.labels)


def images(name, classes, labels):
    pixels = np.zeros((len(labels), 32, 32, 3), np.uint8)
    return Images(
        name=name, classes=classes, labels=np.array(labels), images=pixels, fingerprint=name
    )


def figures(classes, labels):
    weights = parse(
        Training,
        {"source": "train", "objective": "classify", "dataset": "a", "count": 3, "epochs": 1},
        "weights",
    )
    train, test = images("a", ["cat", "dog", "owl"], [0, 1, 2]), images("b", classes, labels)
    return learn(parse(Architecture, SPEC, "model"), weights, train, [test], seed=0).figures


def test_a_folder_that_lacks_a_class_is_no_test_set():
    with pytest.raises(UserError, match=r"'owl' is number 1 of data set 'b' and number 2 of 'a'"):
        figures(["cat", "owl"], [0, 1])


@pytest.mark.parametrize("classes", [["cat", "dog", "owl"], ["cat", "dog"], ["0", "1", "2"]])
def test_the_same_numbers_are_taken(classes):
    assert figures(classes, [0, 1, -1])[0][0] == "b"
