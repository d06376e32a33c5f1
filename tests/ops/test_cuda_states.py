"""Device scans as users meet them, on kernels built for the host: merging, memory, misuse."""

import mmap

import numpy as np
import pytest
import torch

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.ops import cuda
from ops import device_cases
from ops.device_cases import Case, Elsewhere, host_arrays, small_scan, spec_of


def test_shards_on_device_and_host_merge_to_the_same_bytes(device):
    case = Case((24, 5, 6, 6), q=0.9)
    values, ids = device_cases.arranged(case), np.arange(24)
    whole = ops.ScanState(*spec_of(case))
    whole._impl.update(values, ids, 1)
    shards = [ops.ScanState(*spec_of(case)) for _ in range(3)]
    shards[0].update(values[:10], ids[:10])
    shards[1]._impl.update(values[10:13], ids[10:13], 1)  # stays on the host
    shards[2].update(values[13:20], ids[13:20])
    cuda.DEVICE_TYPE = 2
    shards[2].update(values[20:], ids[20:])  # a device state that is given host arrays
    assert [shard.on_device for shard in shards] == [True, False, True]
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        pile = [ops.ScanState.from_arrays(*shards[i].to_arrays()) for i in order[1:]]
        first = shards[order[0]] if order[0] == 0 else None
        total = first or ops.ScanState.from_arrays(*shards[order[0]].to_arrays())
        for other in pile:
            total.merge(other)
        assert device_cases.arrays_of(total) == device_cases.arrays_of(whole)
        shards[0] = ops.ScanState(*spec_of(case))
        cuda.DEVICE_TYPE = 1
        shards[0].update(values[:10], ids[:10])
        cuda.DEVICE_TYPE = 2


def test_levels_topk_and_counts_read_from_the_device(device):
    case = Case((20, 4, 5, 5))
    state = device_cases.state_of(case, device_cases.arranged(case))
    cuda.DEVICE_TYPE = 2
    host = device_cases.state_of(case, device_cases.arranged(case))
    assert state.on_device
    assert not host.on_device
    assert state.images == host.images == 20
    assert (state.levels()[0] == host.levels()[0]).all()
    for ours, theirs in zip(state.topk(), host.topk(), strict=True):
        assert (ours == theirs).all()
    assert {name: a.tolist() for name, a in state.counts().items()} == {
        name: a.tolist() for name, a in host.counts().items()
    }


def test_values_wait_in_a_list_when_blocks_run_out(device):
    case = Case((12, 5, 6, 6), batches=(4,), k=5)
    state = small_scan(case, blocks=3)
    assert device_cases.arrays_of(state) == host_arrays(case)


def test_lost_values_are_an_error(device):
    state = small_scan(Case((4, 5, 6, 6), batches=(4,)), blocks=3, spills=0)
    with pytest.raises(UserError, match=r"ran out of blocks and \d+ values were not counted; set"):
        state.levels()


def test_blocks_from_the_environment(device, monkeypatch):
    values = np.ones((2, 3, 4, 4), np.float32)
    monkeypatch.setenv("MILAN_CUDA_BLOCKS", "77")
    state = ops.ScanState(3, (4, 4), 2, 0.9, 4)
    state.update(values, np.arange(2))
    assert state._impl._device.blocks == 77
    monkeypatch.setenv("MILAN_CUDA_BLOCKS", "many")
    with pytest.raises(UserError, match="MILAN_CUDA_BLOCKS must be a whole number"):
        ops.ScanState(3, (4, 4), 2, 0.9, 4).update(values, np.arange(2))


def test_mining_collects_on_the_device(device):
    """The whole line from network to exemplars, with the statistics on what counts as a device."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.ReLU())
    images = torch.randn(100, 3, 8, 8)
    options = {"k": 4, "quantile": 0.9, "batch_size": 8, "sample": 80, "bands": 4}
    mined = mine(network, images, ["0", "1"], **options)
    launches = device.counts()[2]
    assert launches > 0
    cuda.DEVICE_TYPE = 2
    host = mine(network, images, ["0", "1"], **options)
    assert device.counts()[2] == launches
    for name in mined.layers:
        for part in ("ids", "activations", "levels", "maps", "band_ids", "band_activations"):
            got, want = (getattr(found.layer(name), part) for found in (mined, host))
            assert got.tobytes() == want.tobytes()
        for part in ("images", "values", "zeros", "bins", "counts"):  # of the sample
            got, want = (getattr(found.distribution(name), part) for found in (mined, host))
            assert np.array_equal(got, want)
    cuda.DEVICE_TYPE = 1
    images[7] = float("nan")
    with pytest.raises(UserError, match="are NaN within the first 8 images"):
        mine(network, images, ["0", "1"], **options)


def test_blocks_grow_between_batches(device):
    case = Case((40, 5, 8, 8), batches=(2,), q=0.999)
    state = small_scan(case, blocks=8)
    assert state._impl._device.blocks > 8
    assert device_cases.arrays_of(state) == host_arrays(case)


def test_counts_beyond_32_bits_are_carried(device):
    case = Case((30, 3, 8, 8), kind="constant", batches=(3,), q=0.5)
    state = small_scan(case, carry=3)
    assert device_cases.arrays_of(state) == host_arrays(case)


@pytest.mark.parametrize("k", [3, 100])
def test_nothing_waits_and_nothing_is_allocated_in_the_loop(device, k):
    values = np.random.default_rng(0).normal(size=(10, 6, 7, 7)).astype(np.float32)
    state = ops.ScanState(6, (7, 7), k, 0.99, 100, keep_maps=k < 64)
    state.update(values, np.arange(10))
    waits, allocations, launches, _ = device.counts()
    for first in range(10, 100, 10):
        state.update(values, np.arange(first, first + 10))
    after = device.counts()
    assert after[:2] == (waits, allocations)
    assert after[2] > launches
    state.levels()
    assert device.counts()[0] > waits


def test_capture_in_a_graph(device):
    values = torch.randn(10, 6, 7, 7, generator=torch.Generator().manual_seed(0))
    state = ops.ScanState(6, (7, 7), 3, 0.9, 20)
    device.set_capturing(True)
    with pytest.raises(UserError, match="one ordinary update of this size before"):
        state.update(values, torch.arange(10))
    device.set_capturing(False)
    state = ops.ScanState(6, (7, 7), 3, 0.9, 20)
    state.update(values, torch.arange(10))
    device.set_capturing(True)
    with pytest.raises(UserError, match="image ids must be an int64 tensor on the device"):
        state.update(values, np.arange(10, 20))
    device.set_capturing(False)
    wide = ops.ScanState(6, (7, 7), 65, 0.9, 100, keep_maps=False)
    wide.update(values, torch.arange(90, 100))
    device.set_capturing(True)
    with pytest.raises(UserError, match="k above 64 cannot be captured"):
        wide.update(values, torch.arange(10))
    state.update(-values, torch.arange(10, 20))  # the shim runs what a device would capture
    device.set_capturing(False)
    assert state.images == 20
    cuda.DEVICE_TYPE = 2
    host = ops.ScanState(6, (7, 7), 3, 0.9, 20)
    host.update(torch.cat([values, -values]), np.arange(20))
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)


@pytest.mark.parametrize("layout", ["nchw", "nhwc", "strided"])
def test_indexing_beyond_2_to_the_31(device, layout):
    """Strides of 2^31 elements: of virtual memory, few pages are touched."""
    far = 2**31 + 64
    memory = np.frombuffer(mmap.mmap(-1, 2 * (far + 4096)), np.float16)
    strides = {"nchw": (49, 7, 1), "nhwc": (1, 7 * 8, 8), "strided": (98, 14, 2)}[layout]
    values = np.lib.stride_tricks.as_strided(
        memory, (2, 8, 7, 7), [2 * step for step in (far, *strides)]
    )
    values[:] = np.random.default_rng(0).normal(size=values.shape)
    state = ops.ScanState(8, (7, 7), 2, 0.9, 2)
    state.update(values, np.arange(2))
    cuda.DEVICE_TYPE = 2
    host = ops.ScanState(8, (7, 7), 2, 0.9, 2)
    host.update(values.copy(), np.arange(2))
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)


def test_what_the_device_cannot_do_goes_to_the_host(device):
    values = np.random.default_rng(0).normal(size=(200, 2, 3, 3)).astype(np.float32)
    cuda.DEVICE_TYPE = 2
    state = ops.ScanState(2, (3, 3), cuda.MOST_K + 1, 0.9, 200)
    state.update(Elsewhere(values), Elsewhere(np.arange(200)))
    assert not state.on_device
    cuda.kernels = lambda: None
    state = ops.ScanState(2, (3, 3), 3, 0.9, 200)
    state.update(Elsewhere(values), np.arange(200))
    assert not state.on_device
    assert state.images == 200


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.update(np.ones((2, 3, 4, 4)), np.arange(2)), "float32, bfloat16 or float16"),
        (lambda s: s.update(np.ones((2, 3, 4, 5), "f4"), np.arange(2)), "activations must be"),
        (lambda s: s.update(np.ones((9, 3, 4, 4), "f4"), np.arange(9)), "total_images=4"),
        (lambda s: s.update(torch.ones(2, 3, 4, 4), torch.arange(2.0)), "ids must be int64"),
    ],
)
def test_wrong_arguments_are_refused(device, call, words):
    state = ops.ScanState(3, (4, 4), 2, 0.9, 4)
    with pytest.raises(UserError, match=words):
        call(state)
