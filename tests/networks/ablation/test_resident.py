"""Images of ablations on a GPU, which they are copied to once; the CPU stands in for it."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.networks.ablation import AblationEngine, PreparedImages, images
from milan_core.networks.ablation.images import ResidentImages, resident
from milan_core.networks.options import InputSpec

SPEC = InputSpec(size=12)
BYTES = np.random.default_rng(0).integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
CHOSEN = np.arange(599, 100, -3)


def prepared():
    return PreparedImages(BYTES, SPEC, CHOSEN)


@pytest.fixture
def gpu(monkeypatch):
    """The room on a GPU that is the CPU, in a list that a test may change."""
    room = [10**9]
    monkeypatch.setattr(images, "fits", lambda size, device: size <= room[0])
    return room


def test_the_cpu_keeps_no_second_copy():
    given = prepared()
    assert resident(given, "cpu") is given


def test_rows_are_those_of_the_images(gpu):
    there = resident(prepared(), "cpu")
    assert isinstance(there, ResidentImages)
    assert (there.held.dtype, len(there)) == (torch.uint8, len(CHOSEN))
    for rows in (np.arange(7, 20), np.array([150, 3, 3])):
        assert torch.equal(there[rows], prepared()[rows])
    floats = prepared()[np.arange(30)]
    assert torch.equal(resident(floats, "cpu")[np.array([4, 29])], floats[[4, 29]])


def test_images_that_do_not_fit_stay_on_the_host(gpu):
    gpu[0] = len(CHOSEN) * BYTES[0].nbytes
    assert isinstance(resident(prepared(), "cpu"), ResidentImages)
    gpu[0] -= 1
    given = prepared()
    assert resident(given, "cpu") is given


def test_an_engine_reads_its_images_once(gpu, monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 3))
    labels = np.arange(len(CHOSEN)) % 3
    taken, stored = [], PreparedImages.stored
    monkeypatch.setattr(
        PreparedImages, "stored", lambda self, rows: (taken.extend(rows), stored(self, rows))[1]
    )
    engine = AblationEngine(model, "0", prepared(), labels, 64)
    there = engine.single(engine.units)
    engine.curve(np.array([[0, 1, 2, 3]]), [1, 3])
    assert taken == [0, *range(len(CHOSEN))]
    monkeypatch.undo()
    here = AblationEngine(model, "0", prepared(), labels, 64)
    assert (here.single(here.units) == there).all()
