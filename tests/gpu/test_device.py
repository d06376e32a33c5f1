"""The matrix of the host build, and streams and graphs, on a real device."""

import itertools

import numpy as np
import pytest
import torch
from ops import device_cases
from ops.device_cases import CASES, MASKS

from milan_core import ops
from milan_core.ops import cuda

pytestmark = pytest.mark.gpu


def to_device(values, device):
    """A NumPy array or `Bfloat` as a tensor with the same strides on the device."""
    bits = getattr(values, "bits", values)
    tensor = torch.from_numpy(bits.view(np.int16) if bits.dtype == np.uint16 else bits)
    there = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    there.copy_(tensor)
    return there.view(torch.bfloat16) if bits.dtype == np.uint16 else there


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scan_equals_the_cpu(device, case):
    values = to_device(device_cases.arranged(case), device)
    state = device_cases.state_of(case, values)
    assert state.on_device
    assert device_cases.arrays_of(state) == device_cases.expected(case)


@pytest.mark.parametrize(("size", "border"), itertools.product(MASKS, ("zeros", "clamp")))
def test_masks_equal_the_cpu(device, size, border):
    h, w, height, width = size
    maps = torch.randn(9, h, w, device=device)
    levels = torch.rand(9, device=device)
    out = torch.zeros(9, height, (width + 7) // 8, dtype=torch.uint8, device=device)
    cuda.masks(maps, levels, (height, width), out, border)
    want = ops.masks(maps.cpu().numpy(), levels.cpu().numpy(), (height, width), border)
    assert out.cpu().numpy().tobytes() == want.tobytes()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_real_sizes(device, layout, dtype):
    """Full grids, several blocks a unit: what the host build is too slow for."""
    torch.manual_seed(0)
    values = torch.randn(600, 128, 28, 28, device=device).relu_().to(dtype)
    values = values.contiguous(memory_format=layout)
    there, here = (ops.ScanState(128, (28, 28), 15, 0.99, 600) for _ in range(2))
    for first in range(0, 600, 64):
        ids = np.arange(first, min(600, first + 64))
        there.update(values[first : first + 64], ids)
        here.update(values[first : first + 64].cpu(), ids)
    assert there.on_device
    assert device_cases.arrays_of(there) == device_cases.arrays_of(here)


def test_work_goes_to_the_current_stream(device):
    values = torch.randn(32, 64, 14, 14, device=device)
    state = ops.ScanState(64, (14, 14), 5, 0.9, 64)
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        doubled = values * 2
        state.update(values, np.arange(32))
        state.update(doubled, np.arange(32, 64))
        assert not stream.query(), "update must not wait for the device"
    host = ops.ScanState(64, (14, 14), 5, 0.9, 64)
    host.update(values.cpu(), np.arange(32))
    host.update(values.cpu() * 2, np.arange(32, 64))
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)


def test_a_captured_graph_counts_its_replays(device):
    values = torch.randn(32, 64, 14, 14, device=device)
    ids = torch.arange(32, device=device)
    state = ops.ScanState(64, (14, 14), 5, 0.9, 128)
    host = ops.ScanState(64, (14, 14), 5, 0.9, 128)
    host.update(values.cpu(), np.arange(32))
    stream = torch.cuda.Stream(device)
    with torch.cuda.stream(stream):
        state.update(values, ids)
    torch.cuda.synchronize(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        state.update(values, ids)
    for _ in range(3):
        ids += 32
        values.normal_()
        torch.cuda.synchronize(device)
        graph.replay()
        torch.cuda.synchronize(device)
        host.update(values.cpu(), ids.cpu().numpy())
    assert state.images == 128
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)
