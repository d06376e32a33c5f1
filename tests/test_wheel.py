"""Wheels build with and without nvcc, and what they hold runs on its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from paths import ROOT

SCAN = """
import numpy as np
import milan_core, milan_core._core
from milan_core import ops
assert milan_core.__file__.startswith({target!r}), milan_core.__file__
state = ops.ScanState(3, (4, 4), 2, 0.9, 10)
values = np.random.default_rng(0).normal(size=(10, 3, 4, 4)).astype(np.float32)
state.update(values, np.arange(10))
ids, top, maps = state.topk()
assert (top[:, 0] == values.max((0, 2, 3))).all()
facts = ops.facts()
assert facts["native"], facts
print(facts["built_with_cuda"])
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cuda", ["OFF", "AUTO"])
def test_a_wheel_builds_and_runs(tmp_path, cuda):
    """AUTO builds the CUDA kernels where nvcc is found; they must load without a driver."""
    with_cuda = cuda == "AUTO" and shutil.which("nvcc") is not None
    if cuda == "AUTO" and not with_cuda:
        pytest.skip("nvcc is not on the PATH")
    build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation"]
    build += ["-q", "-w", str(tmp_path), "-C", f"build-dir={tmp_path}/build"]
    subprocess.run([*build, "-C", f"cmake.define.MILAN_CUDA={cuda}"], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("milan_core/_core.") for name in names)
    assert any(name.startswith("milan_core/_cuda.") for name in names) == with_cuda
    assert not any(name.startswith(("tests/", "csrc/", "docs/")) for name in names)
    target = tmp_path / "target"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True)
    # Without `site`, whose hooks would find the checkout this test runs from.
    paths = os.pathsep.join([str(target), sysconfig.get_paths()["purelib"]])
    run = subprocess.run(
        [sys.executable, "-S", "-c", SCAN.format(target=str(target))],
        env={"PYTHONPATH": paths, "PATH": os.defpath},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(with_cuda)
