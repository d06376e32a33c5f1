"""What a first real device would bring up, on kernels built for the host that behave so."""

import contextlib
import logging
import types

import numpy as np
import pytest
import torch

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.ops import cuda
from ops import device_cases
from ops.device_cases import Case, Elsewhere, host_arrays, small_scan
from ops.second_device import OnSecondDevice, Stream


@pytest.fixture
def streams(device, monkeypatch):
    """Torch's device and stream functions for the two devices of the host build."""
    now = [Stream()]

    @contextlib.contextmanager
    def change(which):
        before = device.current_device()
        device.set_current_device(which.index)
        yield
        device.set_current_device(before)

    monkeypatch.setattr(torch.cuda, "device", change)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: now[0])
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    OnSecondDevice.recorded = []
    return now


def two_batches(make):
    """(state, host state) of two batches of 10 images, made by `make` of a tensor."""
    values = torch.randn(20, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    state, host = (ops.ScanState(4, (5, 5), 3, 0.9, 20) for _ in range(2))
    host._impl.update(values.numpy(), np.arange(20), 1)
    state.update(make[0](values[:10]), np.arange(10))
    state.update(make[1](values[10:]), np.arange(10, 20))
    return state, host


def second(values):
    return values.as_subclass(OnSecondDevice)


def test_a_tensor_of_a_device_that_is_not_current(device, streams):
    state, host = two_batches([second, second])
    assert state.on_device
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)
    assert device.current_device() == 0
    assert OnSecondDevice.recorded == [streams[0]] * 2  # its memory outlives the work


def test_a_scan_follows_its_batches_to_another_device(device, streams):
    state, host = two_batches([torch.clone, second])
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)


def test_a_new_stream_waits_for_the_one_before(device, streams):
    before = streams[0]

    def later(values):
        streams[0] = Stream()
        return second(values)

    state, host = two_batches([second, later])
    assert streams[0].waited == [before]
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)


def test_the_device_is_set_only_when_it_changes(device):
    """Setting a device creates a context on it."""
    values = np.ones((2, 3, 4, 4), np.float32)
    state = ops.ScanState(3, (4, 4), 2, 0.9, 4)
    state.update(values, np.arange(2))
    changes = device.counts()[3]
    state.update(values, np.arange(2, 4))
    state.levels()
    assert device.counts()[3] == changes


@pytest.mark.parametrize(
    ("setting", "capability", "reason"),
    [
        ("auto", 7, "compute capability 7.0, the kernels need 8.0"),
        ("off", 9, "MILAN_CUDA=off"),
    ],
)
def test_where_kernels_cannot_run_the_host_counts(
    device, monkeypatch, caplog, setting, capability, reason
):
    cuda.DEVICE_TYPE = 2
    monkeypatch.setenv("MILAN_CUDA", setting)
    device.set_capability(capability)
    values = np.random.default_rng(0).normal(size=(4, 2, 3, 3)).astype(np.float32)
    state = ops.ScanState(2, (3, 3), 2, 0.9, 8)
    with caplog.at_level(logging.WARNING):
        state.update(Elsewhere(values), np.arange(4))
        state.update(Elsewhere(values + 1), np.arange(4, 8))
    assert not state.on_device
    assert state.images == 8
    assert [record.getMessage().count(reason) for record in caplog.records] == [1]


def test_forced_kernels_that_cannot_run_are_one_sentence(device, monkeypatch):
    cuda.DEVICE_TYPE = 2
    monkeypatch.setenv("MILAN_CUDA", "on")
    device.set_capability(7)
    state = ops.ScanState(2, (3, 3), 2, 0.9, 8)
    with pytest.raises(UserError, match=r"^[^\n]*MILAN_CUDA=on, but .* capability 7.0[^\n]*$"):
        state.update(Elsewhere(np.zeros((4, 2, 3, 3), np.float32)), np.arange(4))
    monkeypatch.setenv("MILAN_CUDA", "always")
    with pytest.raises(UserError, match="MILAN_CUDA must be one of auto, off, on"):
        state.update(Elsewhere(np.zeros((4, 2, 3, 3), np.float32)), np.arange(4))


def test_a_larger_update_leaves_a_graph_its_memory(device):
    """The graph is replayed after its buffers have been replaced; kernels are loaded before it."""
    device.forget_kernels()
    draw = torch.Generator().manual_seed(0)
    values, ids = torch.randn(6, 4, 5, 5, generator=draw), torch.arange(6)
    larger = torch.randn(20, 4, 5, 5, generator=draw)
    state, host = (ops.ScanState(4, (5, 5), 3, 0.9, 38) for _ in range(2))
    state.update(values, np.arange(6))  # ids from the host: another kernel than in the graph
    device.set_capturing(True)
    ids += 6
    state.update(values, ids)  # the host build runs it as well
    device.set_capturing(False)
    state.update(larger, np.arange(12, 32))
    ids += 26
    values.neg_()
    device.replay()
    cuda.DEVICE_TYPE = 2
    for batch, first in ((-values, 0), (-values, 6), (larger, 12), (values, 32)):
        host.update(batch, np.arange(first, first + len(batch)))
    assert device_cases.arrays_of(state) == device_cases.arrays_of(host)


def test_a_graph_keeps_its_state_on_its_device(device, streams):
    """The memory of the first device would be freed while a graph writes to it."""
    values, ids = torch.randn(6, 4, 5, 5), torch.arange(6)
    state = ops.ScanState(4, (5, 5), 3, 0.9, 18)
    state.update(values, np.arange(6))
    device.set_capturing(True)
    state.update(values, ids + 6)
    device.set_capturing(False)
    with pytest.raises(UserError, match=r"graph on device 0 counts into this state.* on device 1"):
        state.update(second(values), np.arange(12, 18))
    device.replay()


def test_image_numbers_on_another_device_are_refused(device, streams):
    """They would be read there, or not at all."""
    for values, ids, there in ((second, torch.clone, 0), (torch.clone, second, 1)):
        state = ops.ScanState(4, (5, 5), 3, 0.9, 6)
        with pytest.raises(UserError, match=rf"on CUDA device {1 - there}, image_ids on {there}"):
            state.update(values(torch.ones(6, 4, 5, 5)), ids(torch.arange(6)))


def test_memory_outlives_work_that_ended_in_an_error(device, streams):
    values = second(torch.ones(1, 2, 2))
    with pytest.raises(RuntimeError, match="halfway"), cuda.lent(values):
        raise RuntimeError("halfway")
    assert OnSecondDevice.recorded == [streams[0]]


def test_arguments_of_masks_on_a_device_are_checked(device, streams):
    maps, levels = torch.ones(1, 2, 2, requires_grad=True), torch.zeros(1)
    out = torch.zeros(1, 8, 1, dtype=torch.uint8)
    cuda.masks(maps, levels, 8, out)
    assert (out.numpy() == ops.masks(maps.detach().numpy(), levels.numpy(), 8)).all()
    with pytest.raises(UserError, match="levels must be on a CUDA device, got list"):
        cuda.masks(maps, [0.0], 8, out)
    with pytest.raises(UserError, match="maps on 0, levels on 1, out on 0"):
        cuda.masks(maps, second(levels), 8, out)


def test_masks_where_kernels_cannot_run_are_one_sentence(device):
    device.set_capability(7)
    arrays = np.ones((1, 2, 2), np.float32), np.zeros(1, np.float32)
    with pytest.raises(UserError, match=r"masks: the kernels cannot run: .* capability 7.0"):
        cuda.masks(*arrays, 8, np.zeros((1, 8, 1), np.uint8))


def test_a_graph_keeps_the_tables_of_its_masks(device):
    maps, levels = np.random.default_rng(0).normal(size=(2, 5, 5)), np.zeros(2, np.float32)
    maps, out = maps.astype(np.float32), np.zeros((2, 31, 5), np.uint8)
    device.set_capturing(True)
    with pytest.raises(UserError, match="make masks of this size once before"):
        cuda.masks(maps, levels, (31, 37), out)
    device.set_capturing(False)
    cuda.masks(maps, levels, (31, 37), out)
    device.set_capturing(True)
    cuda.masks(maps, levels, (31, 37), out)
    device.set_capturing(False)
    for width in range(40, 60):  # more sizes than are kept
        cuda.masks(maps, levels, (3, width), np.zeros((2, 3, (width + 7) // 8), np.uint8))
    maps *= -1
    device.replay()
    assert (out == ops.masks(maps, levels, (31, 37))).all()


def test_late_reports_do_not_make_blocks_grow_again_and_again(device):
    case = Case((60, 5, 8, 8), batches=(2,), q=0.999)
    grown = small_scan(case, blocks=8)._impl._device.blocks
    device.set_late_copies(20)
    state = small_scan(case, blocks=8)
    assert state._impl._device.blocks <= grown
    assert device_cases.arrays_of(state) == host_arrays(case)


def test_lost_values_stop_the_pass(device):
    with pytest.raises(UserError, match="ran out of blocks and values were not counted; set MILAN"):
        small_scan(Case((12, 5, 6, 6), batches=(4,)), blocks=3, spills=0)


@pytest.mark.parametrize("late", [0, 2])
def test_nan_is_reported_without_waiting(device, late):
    device.set_late_copies(late)
    state = ops.ScanState(3, (4, 4), 2, 0.9, 40)
    values = np.ones((4, 3, 4, 4), np.float32)
    state.update(values, np.arange(4))
    assert not state.seen_nan
    values[1, 2] = np.nan
    waits = device.counts()[0]
    for first in range(4, 4 * (late + 2), 4):
        state.update(values, np.arange(first, first + 4))
    assert state.seen_nan
    assert device.counts()[0] == waits


def test_mining_stops_at_the_batch_with_nan(device):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3))
    images = torch.randn(100, 3, 8, 8)
    images[41] = float("nan")
    with pytest.raises(UserError, match="are NaN within the first 48 images"):
        mine(network, images, ["0"], k=4, quantile=0.9, batch_size=8)


def test_memory_that_torch_holds_is_asked_for(device, monkeypatch):
    """Once: an allocation that fails again is an error."""
    emptied = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    case = Case((12, 5, 6, 6), batches=(4,))
    assert not cuda.problem(0)  # sets the hook
    device.set_failing_allocations(1)
    assert device_cases.arrays_of(small_scan(case)) == host_arrays(case)
    assert emptied == [1]
    device.set_failing_allocations(2)
    with pytest.raises(UserError, match="CUDA is out of memory"):
        small_scan(case)
    assert emptied == [1, 1]


def test_blocks_come_to_the_host_in_few_copies(device):
    waits = []
    for units in (2, 40):
        state = ops.ScanState(units, (3, 3), 2, 0.5, 8, keep_maps=False)
        state.update(np.random.default_rng(0).normal(size=(8, units, 3, 3)).astype("f4"), range(8))
        before = device.counts()[0]
        state.levels()
        waits.append(device.counts()[0] - before)
    assert waits[0] == waits[1]


@pytest.mark.parametrize("where", ["device", "host"])
def test_an_image_given_twice_is_refused(device, where):
    if where == "host":
        cuda.DEVICE_TYPE = 2
    values = np.random.default_rng(0).normal(size=(3, 2, 3, 3)).astype(np.float32)
    state = ops.ScanState(2, (3, 3), 3, 0.9, 6)
    state.update(values, np.array([4, 2, 5]))
    state.topk()
    state.update(values[1:2] + 5, np.array([2]))
    for read in (state.topk, state.to_arrays):
        with pytest.raises(UserError, match="image 2 was given twice: it is twice among the best"):
            read()


def test_facts_name_why_a_device_is_not_used(monkeypatch):
    monkeypatch.setattr(cuda, "kernels", lambda: None)
    assert "were not built" in cuda.problem(0)
    module = types.ModuleType("kernels")
    module.device_problem = lambda device: f"no code for {device}"
    module.set_memory_hook = lambda hook: None
    monkeypatch.setattr(cuda, "kernels", lambda: module)
    assert cuda.problem(3) == "no code for 3"
