"""Time work on a device and the host that launches it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

HELD_CYCLES = 100_000_000  # of the device, before the work: some 60 ms for the host to run ahead


def wait(device: str) -> None:
    """Wait for the work on a device."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def device_seconds(
    work: Callable[[], object], device: str, number: int = 30, repetitions: int = 5
) -> float:
    """Median device seconds of one `work`, of many in a row between two events.

    The device is kept busy before them, so that it never waits for the host to start the next one.
    On the CPU the wall time of three.
    """
    if device == "cpu":
        start = time.perf_counter()
        for _ in range(3):
            work()
        return (time.perf_counter() - start) / 3
    times = []
    for _ in range(repetitions):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(HELD_CYCLES)
        first.record()
        for _ in range(number):
            work()
        last.record()
        last.synchronize()
        times.append(first.elapsed_time(last) / 1e3 / number)
    return statistics.median(times)


def host_seconds(work: Callable[[], object], device: str, number: int = 200) -> float:
    """Measure the host time to launch one `work`, in seconds."""
    wait(device)
    start = time.perf_counter()
    for _ in range(number):
        work()
    spent = time.perf_counter() - start
    wait(device)
    return spent / number
