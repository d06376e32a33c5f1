"""Devices of jobs, on GPUs that torch only pretends to have."""

import logging
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from milan_core.core import devices
from milan_core.core.devices import start_device
from milan_core.core.errors import UserError

GPUS = 3


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """The devices made current; precisions are put back afterwards."""
    current = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: GPUS)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"id-{index}")
    )
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(devices, "_claimed", {})
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn
    before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    matrices = torch.backends.cuda.matmul.fp32_precision
    yield current
    for file in devices._claimed.values():
        file.close()
    cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before
    torch.backends.cuda.matmul.fp32_precision = matrices
    torch.set_num_threads(threads)


def other_job(monkeypatch):
    """From here on this process has claimed nothing, as another one."""
    held = devices._claimed
    monkeypatch.setattr(devices, "_claimed", {})
    return held


def test_the_cpu_tells_nothing():
    assert start_device("cpu", torch.get_num_threads()) == {}


def test_a_named_gpu_and_its_arithmetic(chosen):
    facts = start_device("cuda:2", 1)
    assert chosen == [2]
    assert facts == {
        "gpu": "GPU 2",
        "float32_products": {"convolutions": "tf32", "recurrent": "tf32", "matrices": "ieee"},
    }
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"


def test_networks_may_still_change_the_flags_of_cudnn(chosen):
    """Torch refuses that when convolutions and recurrent layers have different precisions."""
    start_device("cuda:0", 1)
    with torch.backends.cudnn.flags(enabled=False):
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.allow_tf32  # inductor reads it
    assert not torch.backends.cuda.matmul.allow_tf32


def test_jobs_get_a_gpu_each_and_wait_for_one(chosen, monkeypatch, caplog):
    jobs = []
    for _ in range(GPUS):
        start_device("cuda", 1)
        start_device("cuda", 1)  # again within the job
        jobs.append(other_job(monkeypatch))
    assert chosen == [0, 0, 1, 1, 2, 2]

    def end_second_job(seconds):
        jobs[1]["id-1"].close()

    monkeypatch.setattr(devices.time, "sleep", end_second_job)
    with caplog.at_level(logging.WARNING):
        start_device("cuda", 1)
    assert chosen[-1] == 1
    assert [r.getMessage() for r in caplog.records] == [
        "all 3 GPUs are taken by other jobs; waiting for one"
    ]
    for job in jobs:
        for file in job.values():
            file.close()


def test_a_named_gpu_is_left_alone_by_jobs_that_take_any(chosen, monkeypatch, caplog):
    start_device("cuda:0", 1)
    jobs = [other_job(monkeypatch)]
    start_device("cuda", 1)
    jobs.append(other_job(monkeypatch))
    assert chosen == [0, 1]
    with caplog.at_level(logging.WARNING):
        start_device("cuda:1", 1)
    assert chosen[-1] == 1
    assert [r.getMessage() for r in caplog.records] == [
        "GPU 1 is taken by another job, and shared with it"
    ]
    assert not devices._claimed
    for job in jobs:
        for file in job.values():
            file.close()


@pytest.mark.parametrize(
    ("device", "threads", "words"),
    [
        ("gpu", 1, "--device is 'gpu'; give cpu, cuda or cuda:N"),
        ("cuda:3", 1, "device cuda:3 was asked for, but there are 3: 0 to 2"),
        ("cuda", 0, "--threads is 0; give at least 1"),
    ],
)
def test_wrong_devices_are_one_sentence(chosen, device, threads, words):
    with pytest.raises(UserError, match=words):
        start_device(device, threads)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of glibc is set")
def test_freed_memory_is_taken_again_without_page_faults() -> None:
    """By default glibc takes 64 MB anew each time: 16,384 pages."""
    code = (
        "import resource\n"
        "from milan_core.core.devices import keep_memory\n"
        "keep_memory()\nsize = 2**26\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "b'x' * size\n"
        "before = faults()\n"
        "for _ in range(4): b'x' * size\n"
        "print(faults() - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1000
