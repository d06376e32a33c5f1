"""The CPU core with AddressSanitizer and UndefinedBehaviorSanitizer: its tests and the fuzzer."""

import platform
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor

import pybind11
import pytest

from ops.host_cuda import SANITIZED, sanitized_environment

FLAGS = ("-std=c++17", "-g1", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-DMILAN_X86")
SETS = {
    "kernels_avx2": ("-mavx2", "-mf16c", "-mbmi", "-mbmi2", "-mpopcnt"),
    "kernels_avx512": (
        *("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"),
        *("-mbmi", "-mbmi2", "-mpopcnt", "-mprefer-vector-width=512", "-w"),
    ),
}
TESTS = ["beam", "far_strides", "formulas", "golden", "masks", "pooling", "recurrent"]
TESTS += ["scan_properties", "scan_rising", "scan_tables", "state_files", "fuzz"]
REPLACING = """
import importlib.machinery, importlib.util, sys
loader = importlib.machinery.ExtensionFileLoader("milan_core._core", PATH)
spec = importlib.util.spec_from_loader("milan_core._core", loader)
module = importlib.util.module_from_spec(spec)
loader.exec_module(module)
sys.modules["milan_core._core"] = module
"""


def build(csrc, folder):
    """The module `_core` in a folder; its bindings are not sanitized, which would take long."""
    folders = [csrc / "include", csrc, pybind11.get_include(), sysconfig.get_path("include")]
    common = ["c++", *FLAGS, '-DMILAN_VERSION="sanitized"', *(f"-I{path}" for path in folders)]
    glue = [path for path in (csrc / "bindings").glob("*.cpp") if path.stem != "cuda"]
    core = [path for path in (csrc / "cpu").glob("*.cpp") if path.stem != "kernels_neon"]

    def compile_one(source):
        target = folder / f"{source.parent.name}_{source.stem}.o"
        own = ("-O1", *SANITIZED, *SETS.get(source.stem, ())) if source in core else ("-O0",)
        subprocess.run([*common, *own, "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, [*glue, *core]))
    target = folder / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run(["c++", "-shared", "-pthread", *SANITIZED, *objects, "-o", target], check=True)
    return target


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="built for x86-64")
def test_sanitizers_find_nothing_in_the_core(root, tmp_path):
    target = build(root / "csrc", tmp_path)
    # Put in the place of the package's own module before anything asks for that.
    (tmp_path / "sitecustomize.py").write_text(REPLACING.replace("PATH", repr(str(target))))
    environment = {**sanitized_environment(), "PYTHONPATH": str(tmp_path)}
    check = "from milan_core import ops; assert ops.facts()['version'] == 'sanitized'"
    files = [str(root / f"tests/ops/test_{name}.py") for name in TESTS]
    for command in (["-c", check], ["-m", "pytest", "-q", "-x", "-m", "not slow", *files]):
        done = subprocess.run(
            [sys.executable, *command],
            **{"env": environment, "cwd": root, "text": True, "capture_output": True},
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
