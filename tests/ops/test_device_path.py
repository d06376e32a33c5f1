"""What uses the device scan, on kernels built for the host: the same answers as without them."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from milan_core import ops
from milan_core.describers import evidence
from milan_core.exemplars.sources import open_source
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel
from milan_core.ops import cuda

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
SPEC = InputSpec(size=16)


def network():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.Conv2d(5, 3, 2)).eval()
    with torch.no_grad():
        module[0].bias[2] = -100  # a dead unit
    return LoadedModel(module, SPEC, ["1", "2"], [])


def gathered(folder: Path):
    """By layer: levels, maxima, means, status, and the masks of every unit."""
    source = open_source(IMAGES, SPEC)
    found = evidence.gather(network(), source, [0.9, 0.99], 13, folder, batch_size=8)
    return {
        layer: (
            *(own.levels[0.9], own.levels[0.99], own.maxima, own.means, own.status),
            *(
                (part.starts, part.members, part.bits)
                for masks in own.masks.values()
                for part in [masks.block(0, masks.units)]
            ),
        )
        for layer, own in found.items()
    }


def test_concept_methods_use_the_device_scan(device, tmp_path, monkeypatch):
    """Levels, masks and status come from the device, and no map is copied to the host."""
    made, host_masks, sizes = [], ops.masks, []
    made_there = cuda.masks
    monkeypatch.setattr(cuda, "masks", lambda *a: (made.append(len(a[0])), made_there(*a)))
    monkeypatch.setattr(ops, "masks", lambda *a: (sizes.append(len(a[0])), host_masks(*a))[1])
    there = gathered(tmp_path)
    assert sum(made) > 0
    assert not sizes
    cuda.DEVICE_TYPE = 2
    here = gathered(tmp_path)
    assert sum(sizes) == sum(made)
    for layer, values in here.items():
        for number, (mine, theirs) in enumerate(zip(values, there[layer], strict=True)):
            if number == 3:  # means are summed in another order
                np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
            else:
                np.testing.assert_equal(mine, theirs)
    assert here["1"][4].tolist() == ["active", "active", "dead", "active", "active"]


def test_masks_of_a_device_without_kernels_are_made_here(device, tmp_path, monkeypatch):
    monkeypatch.setenv("MILAN_CUDA", "off")
    there = gathered(tmp_path)
    cuda.DEVICE_TYPE = 2
    here = gathered(tmp_path)
    np.testing.assert_equal([v[5:] for v in there.values()], [v[5:] for v in here.values()])
