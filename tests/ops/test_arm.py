"""The ARM kernels, built by a cross compiler and run in an emulator where this machine has both."""

import shutil
import subprocess

import pytest

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
SOURCES = [
    "beam",
    "bitset",
    "formulas",
    "histogram",
    "isa",
    "kernels_neon",
    "kernels_scalar",
    "mask",
    "pages",
    "pool",
    "recurrent",
    "scan",
    "scan_state",
    "topk",
]


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
    reason=f"needs {COMPILER} and {EMULATOR} (Debian: g++-aarch64-linux-gnu, qemu-user)",
)
def test_neon_equals_scalar(root, tmp_path):
    csrc, program = root / "csrc", tmp_path / "compare_isa"
    subprocess.run(
        [
            *(COMPILER, "-std=c++17", "-O2", "-ffp-contract=off", "-static", "-pthread"),
            *("-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-DMILAN_ARM64"),
            *(f"-I{csrc / 'include'}", f"-I{csrc}", "-o", program),
            root / "tests/ops/native/compare_isa.cpp",
            *(csrc / "cpu" / f"{name}.cpp" for name in SOURCES),
        ],
        check=True,
    )
    done = subprocess.run([EMULATOR, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["scalar", "neon"]
