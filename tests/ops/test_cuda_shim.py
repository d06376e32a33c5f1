"""The CUDA kernels, built for the host, against the CPU kernels: equal bytes in any order."""

import subprocess
import sys

import pytest

from milan_core import ops
from ops import device_cases, host_cuda
from ops.device_cases import CASES, MASKS

pytestmark = pytest.mark.skipif(
    not ops.facts()["native"], reason="the native core is not built; `pip install -e .` builds it"
)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scan_equals_the_cpu(device, case, seed):
    device.set_seed(seed)
    device_cases.check(case)


@pytest.mark.parametrize("seed", range(2, 6))
def test_more_orders(device, seed):
    device.set_seed(seed)
    device_cases.check_telling()


@pytest.mark.parametrize("border", ["zeros", "clamp"])
@pytest.mark.parametrize("size", MASKS, ids=str)
def test_masks_equal_the_cpu(device, size, border):
    device_cases.check_masks(*size, border)


def test_every_barrier_is_needed():
    """Each barrier is left out in turn; some thread order must then give a wrong result."""
    command = [sys.executable, host_cuda.__file__, host_cuda.build(), "barriers"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    noticed = done.stdout.split()
    assert noticed.count("noticed") == 10, done.stdout


def test_sanitizers_find_nothing():
    """The matrix with AddressSanitizer and UndefinedBehaviorSanitizer."""
    done = subprocess.run(
        [sys.executable, host_cuda.__file__, host_cuda.build(sanitized=True), "matrix"],
        env=host_cuda.sanitized_environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "matrix passed" in done.stdout
