"""Images and arguments of `milan.mine` in the forms in which people give them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.options import InputSpec

IMAGES = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
BYTES = (IMAGES.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


def ids(images, **options):
    return mine(network(), images, "0", k=2, batch_size=4, **options).ids("0")


def test_exemplars_say_in_a_notebook_what_they_are():
    mined = mine(network(), IMAGES, ["0", "1"], k=2, batch_size=4)
    assert repr(mined) == "<exemplars of 0: 4 units, 1: 4 units; 2 images a unit>"


class Chosen:
    """Some rows of an array that it calls `images`, as data sets of torch often do."""

    rows = (7, 3, 9, 1, 11)

    def __init__(self):
        self.images = BYTES

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return IMAGES[self.rows[index]], 0


@pytest.mark.parametrize("input", [None, InputSpec(size=8)])
def test_a_data_set_gives_its_items_whatever_its_attributes_are_called(input):
    assert np.array_equal(ids(Chosen(), input=input), ids(IMAGES[list(Chosen.rows)]))


class OneBuffer:
    """Gives one tensor, filled anew for each item."""

    def __init__(self):
        self.buffer = torch.zeros(3, 8, 8)

    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, index):
        return self.buffer.copy_(IMAGES[index])


def collate():
    buffer = torch.zeros(3, 3, 8, 8)

    def fill(items):
        torch.stack(items, out=buffer)
        return buffer

    return fill


@pytest.mark.parametrize(
    "images",
    [OneBuffer(), DataLoader(list(IMAGES), batch_size=3, collate_fn=collate())],
    ids=["items", "batches"],
)
def test_buffers_that_are_filled_anew(images):
    assert np.array_equal(ids(images), ids(IMAGES))


SIZES = [torch.rand(3, 8, 8), torch.rand(3, 9, 8), torch.rand(3, 8, 8)]


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (SIZES, r"image 0 is \(3, 8, 8\), image 1 \(3, 9, 8\); add a transform"),
        (DataLoader(SIZES, batch_size=1), "differ in size"),
        (DataLoader(SIZES, batch_size=2), "differ in size"),
        ({"a": IMAGES}, "images are dict; expected"),
        ("pictures", "images are str; expected"),
    ],
)
def test_other_images_are_sentences(images, sentence):
    with pytest.raises(UserError, match=sentence):
        ids(images)


def test_frames_of_pandas_are_no_images():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"file": ["a.png", "b.png"]})
    for images in (frame, frame["file"]):
        with pytest.raises(UserError, match=r"images are (DataFrame|Series); expected"):
            ids(images)


def test_layers_are_names():
    model = network()
    for layers in (model[0], [model[0]]):
        with pytest.raises(UserError, match=r"layers: .*got Conv2d; give '0' in place"):
            mine(model, IMAGES, layers, k=2)
        with pytest.raises(UserError, match=r"post_relu: .*got Conv2d; give '0' in place"):
            mine(model, IMAGES, "0", k=2, post_relu=layers)
    for layers in (None, 0, [0]):
        with pytest.raises(UserError, match="layers: expected names or patterns"):
            mine(model, IMAGES, layers, k=2)


def test_arguments_as_in_a_configuration():
    wanted = ids(BYTES, input=InputSpec(size=8))
    assert np.array_equal(ids(BYTES, input={"size": 8}), wanted)
    assert np.array_equal(ids(IMAGES, device=torch.device("cpu")), ids(IMAGES))
    with pytest.raises(UserError, match="mine: input: sise: unknown key"):
        ids(BYTES, input={"sise": 8})
    with pytest.raises(UserError, match="layout is dict; expected a Layout"):
        ids(IMAGES, layout={"channels_last": True})
