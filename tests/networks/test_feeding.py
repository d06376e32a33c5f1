"""Batches read ahead, on a GPU that torch only pretends to have: its copies are made late."""

import contextlib
import threading
import time

import numpy as np
import pytest
import torch

from milan_core.networks import feeding
from milan_core.networks.feeding import AHEAD, fed

BATCHES = [(np.full((2, 3), number, np.uint8), number) for number in range(9)]


class Event:
    """Behind the copies that its stream had when it was recorded."""

    def record(self, stream):
        self.copies = list(stream.copies)

    def synchronize(self):
        for make in self.copies:
            make()


class Stream:
    """Copies that are made when somebody waits for them, and not before."""

    def __init__(self, device=None):
        self.copies, self.device = [], device

    def wait_event(self, event):
        event.synchronize()


class Gpu:
    """What torch is asked of a GPU."""

    def __init__(self, monkeypatch):
        self.current = threading.local()
        self.used, self.pinned, self.lent, self.sent = Stream(), [], [], []
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "device", self.device)
        monkeypatch.setattr(torch.cuda, "stream", self.stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.used)
        monkeypatch.setattr(feeding, "pinned", self.pin)
        monkeypatch.setattr(feeding, "copied", self.copy)
        monkeypatch.setattr(
            torch.Tensor, "record_stream", lambda _, stream: self.lent.append(stream), raising=False
        )

    @contextlib.contextmanager
    def device(self, device):
        self.current.device = device
        yield

    @contextlib.contextmanager
    def stream(self, stream):
        self.current.stream = stream
        yield

    def pin(self, shape, dtype):
        self.pinned.append(torch.empty(shape, dtype=dtype))
        return self.pinned[-1]

    def copy(self, buffer, device):
        assert self.current.device == device, "the thread has a current device of its own"
        there, made, once = torch.full_like(buffer, 77), [], threading.Lock()

        def make():
            with once:  # two threads may wait for one copy
                if not made:
                    there.copy_(buffer)
                    made.append(1)

        self.current.stream.copies.append(make)
        self.sent.append(device)
        return there


@pytest.fixture
def gpu(monkeypatch):
    return Gpu(monkeypatch)


def values(batches):
    return [(int(batch[0, 0]), number) for batch, number in batches]


def test_the_cpu_reads_nothing_ahead():
    taken = []

    def read():
        for item in BATCHES:
            taken.append(item[1])
            yield item

    for batch, number in fed(read(), "cpu"):
        assert taken[-1] == number
        batch += 1  # a copy
    assert (BATCHES[3][0] == 3).all()


def test_no_buffer_is_written_while_it_is_copied(gpu):
    """Copies of this GPU are as late as can be, so a buffer that is reused too early would show."""
    assert values(fed(iter(BATCHES), "cuda")) == [(number, number) for number in range(9)]
    assert len(gpu.pinned) == AHEAD
    assert gpu.sent == [torch.device("cuda", 3)] * 9
    assert gpu.lent == [gpu.used] * 9  # memory of the copying stream outlives its use


def test_batches_of_other_forms_get_other_buffers(gpu):
    mixed = [torch.full((4,), 2.0), np.full((1, 1), 5, np.float32), np.full(2, 7, np.uint8)]
    found = [batch.tolist() for batch, _ in fed([(raw, 0) for raw in mixed], "cuda:1")]
    assert found == [[2.0] * 4, [[5.0]], [7, 7]]
    assert gpu.sent == [torch.device("cuda", 1)] * 3


def test_reading_goes_on_while_a_batch_is_used(gpu):
    read, main = [], threading.get_ident()

    def watched():
        for item in BATCHES:
            read.append(threading.get_ident())
            yield item

    batches = fed(watched(), "cuda")
    next(batches)
    deadline = time.monotonic() + 10
    while len(read) < AHEAD + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(read) == AHEAD + 2  # taken, waiting, and one that has no room yet
    assert main not in read
    batches.close()
    assert "images" not in {thread.name for thread in threading.enumerate()}


def test_errors_of_reading_are_raised_where_batches_are_taken(gpu):
    def broken():
        yield from BATCHES[:2]
        raise ValueError("a broken image")

    batches = fed(broken(), "cuda")
    assert values([next(batches), next(batches)]) == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="a broken image"):
        next(batches)


def test_half_of_the_free_memory_may_be_kept(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    assert [feeding.fits(size, "cuda:1") for size in (500, 501)] == [True, False]
    assert not feeding.fits(1, "cpu")
