"""What nvcc makes of the kernels: registers, spills, load widths, reductions; and what users see.

Needs nvcc, and cuobjdump for the machine code; neither needs a GPU.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
import pytest
import torch
from paths import ROOT

from milan_core import ops
from milan_core.cli import doctor, main
from milan_core.ops import cuda

CSRC = ROOT / "csrc"
NVCC = shutil.which("nvcc")
ARCHITECTURES = [80, 86, 89, 90, 100, 120]
HOT = ("scan_planes", "scan_tiles", "scan_private", "scan_pixels", "scan_strided")

needs_nvcc = pytest.mark.skipif(NVCC is None, reason="nvcc is not on the PATH")


def cuobjdump():
    """From the toolkit, or from the triton package, which torch brings for its own use."""
    found = shutil.which("cuobjdump")
    if found is None and NVCC is not None:
        packages = [Path(path) for path in sys.path if path.endswith("site-packages")]
        places = [Path(NVCC).resolve().parent, Path("/usr/local/cuda/bin")]
        places += [path / "triton/backends/nvidia/bin" for path in packages]
        found = next((str(p / "cuobjdump") for p in places if (p / "cuobjdump").is_file()), None)
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """(report of ptxas, machine code) of all kernels for all architectures, compiled at once."""
    folder = tmp_path_factory.mktemp("cuda")
    source, binary = folder / "all.cu", folder / "all.fatbin"
    names = ("scan", "store", "masks")
    source.write_text("".join(f'#include "{CSRC / "cuda" / name}.cu"\n' for name in names))
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in ARCHITECTURES]
    command = [
        *(NVCC, "-std=c++17", "-O3", "-fatbin", *targets, "-Xptxas=-v"),
        *("-I", CSRC / "include", "-I", CSRC, source, "-o", binary),
    ]
    run = subprocess.run(command, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stderr, binary


def resources(report, architecture):
    """{kernel or function: (bytes spilled, registers or None)} of one architecture."""
    found = {}
    name = ""
    for line in report.splitlines():
        if match := re.search(r"Compiling entry function .* for 'sm_(\d+)'", line):
            here = int(match[1]) == architecture
        elif match := re.search(r"Function properties for (\S+)", line):
            name = match[1]
        elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            if here:
                found[name] = (int(match[1]) + int(match[2]), None)
        elif (match := re.search(r"Used (\d+) registers", line)) and here:
            found[name] = (found[name][0], int(match[1]))
    return found


@needs_nvcc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_registers_and_spills(compiled, architecture):
    found = resources(compiled[0], architecture)
    kernels = {name: value for name, value in found.items() if value[1] is not None}
    assert len(kernels) == 34, sorted(kernels)
    assert {name: spilled for name, (spilled, _) in found.items() if spilled} == {}
    hot = {n: used for n, (_, used) in kernels.items() if any(part in n for part in HOT)}
    assert len(hot) == 18
    assert {name: used for name, used in hot.items() if used > 64} == {}


@pytest.fixture
def machine_code(compiled):
    """{kernel: [(address, instruction)]} for sm_90."""
    tool = cuobjdump()
    if tool is None:
        pytest.skip("cuobjdump is not here; the CUDA toolkit or the triton package brings it")
    text = subprocess.run(
        [tool, "-sass", "-arch", "sm_90", compiled[1]], text=True, capture_output=True, check=True
    ).stdout
    code, name = {}, ""
    for line in text.splitlines():
        if match := re.search(r"Function : (\S+)", line):
            name = match[1]
            code[name] = []
        elif match := re.match(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?);", line):
            code[name].append((int(match[1], 16), match[2]))
    return code


def find(code, pattern):
    return [address for address, text in code if re.search(pattern, text)]


@needs_nvcc
def test_hot_loops_load_wide_and_reduce_without_return(machine_code):
    hot = {n: code for n, code in machine_code.items() if any(part in n for part in HOT)}
    assert len(hot) == 18
    for name, code in hot.items():
        called = [int(m[1], 16) for _, t in code if (m := re.search(r"CALL\S* .*0x([0-9a-f]+)", t))]
        assert called, f"{name}: the rare case must be out of line"
        body = [entry for entry in code if entry[0] < min(called)]
        assert find(body, r"\bRED(G|\b)"), f"{name}: no reduction"
        assert not find(body, r"\bATOM(G|\.E)"), f"{name}: atomics with a return in the hot loop"
        wide = "strided" not in name and "Lb0" not in name
        if wide:
            assert find(body, r"(LDG|LDGSTS)\.E\S*\.128"), f"{name}: no 128-bit loads"
        if wide and "tiles" not in name and "private" not in name:
            assert len(find(body, r"LDG\.E\.EF\.\S*128")) >= 2, f"{name}: one load under way"


def test_a_build_with_kernels_loads_without_a_driver():
    if cuda.kernels() is None:
        pytest.skip("the CUDA kernels are not built here; `pip install -e .` with nvcc builds them")
    facts = ops.facts()
    assert facts["built_with_cuda"]
    assert "80" in str(facts["cuda_architectures"])
    if not torch.cuda.is_available():
        assert facts["cuda_devices"] == 0
        assert "driver" in str(facts["cuda_problem"])


def test_facts_without_kernels(monkeypatch, capsys):
    monkeypatch.setattr(cuda, "kernels", lambda: None)
    assert ops.facts()["built_with_cuda"] is False
    main(["doctor"])
    said = capsys.readouterr().out
    assert "cuda core   absent; the CUDA kernels were not built; install again with nvcc" in said


def test_doctor_tells_about_the_kernels(capsys):
    main(["doctor"])
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("cuda core"))
    facts = ops.facts()
    assert ("built for sm_" in line) == facts["built_with_cuda"]
    if not facts["built_with_cuda"]:
        assert str(facts["cuda_problem"]) in line
    elif facts["cuda_devices"]:
        assert f"{facts['cuda_devices']} device(s)" in line


@pytest.mark.parametrize(
    ("devices", "there", "expected"),
    [
        (0, False, "built for sm_80; no GPU found (not needed)"),
        (0, True, "built for sm_80; CUDA driver version is insufficient"),
        (2, True, "built for sm_80; 2 device(s)"),
    ],
)
def test_doctor_says_that_no_gpu_is_needed(monkeypatch, capsys, devices, there, expected):
    problem = "" if devices else "CUDA driver version is insufficient for CUDA runtime version"
    cuda = {"built_with_cuda": True, "cuda_architectures": "80", "cuda_devices": devices}
    core = {"native": True, "version": "1", "isa": "avx2", "cuda_problem": problem}
    monkeypatch.setattr(ops, "facts", lambda: {**core, **cuda})
    monkeypatch.setattr(doctor, "_gpu_there", lambda: there)
    main(["doctor"])
    assert f"cuda core   {expected}" in capsys.readouterr().out


def configured(folder, wanted, **environment):
    """A finished run of cmake."""
    command = [
        *("cmake", "-S", CSRC, "-B", folder / "build", "-DSKBUILD=ON", f"-DMILAN_CUDA={wanted}"),
        *(f"-Dpybind11_DIR={pybind11.get_cmake_dir()}", f"-DPython_EXECUTABLE={sys.executable}"),
    ]
    environment = {**os.environ, **environment}
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not on the PATH")
@pytest.mark.parametrize("wanted", ["ON", "AUTO"])
def test_configuring_without_nvcc(tmp_path, wanted):
    """ON says what is missing; AUTO builds for the CPU alone."""
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(f for f in folders if not (Path(f) / "nvcc").exists())
    tools = [shutil.which(name) for name in ("cmake", "c++", "ninja", "make")]
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in filter(None, tools):  # they may live beside nvcc
        (bare / Path(tool).name).symlink_to(tool)
    done = configured(tmp_path, wanted, PATH=f"{bare}{os.pathsep}{path}", CUDACXX="")
    if wanted == "ON":
        assert done.returncode != 0
        assert "no CUDA compiler was found" in done.stderr
        assert "-C cmake.define.MILAN_CUDA=OFF" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "The CPU core is built alone: no CUDA compiler was found" in done.stdout


@needs_nvcc
@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not on the PATH")
@pytest.mark.parametrize("wanted", ["ON", "AUTO"])
def test_configuring_with_an_old_nvcc(tmp_path, wanted):
    """It could not compile the kernels: AUTO leaves them out, ON says so."""
    old = tmp_path / "nvcc"
    old.write_text(
        '#!/bin/sh\nif [ "$*" = --version ]; then echo "release 11.2, V11.2.67"; exit; fi\n'
        f'exec {NVCC} "$@"\n'
    )
    old.chmod(0o755)
    done = configured(tmp_path, wanted, CUDACXX=str(old))
    assert (done.returncode != 0) == (wanted == "ON"), done.stderr
    said = " ".join((done.stderr if wanted == "ON" else done.stdout).split())
    assert f"nvcc 11.2 at {old} is too old (11.8 is needed)" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_one_sentence(capsys, tmp_path):
    files = ["--dataset", str(tmp_path / "d"), "--shard", str(tmp_path / "o")]
    options = ["--model", '{"factory": "a:b"}', "--options", "{}"]
    assert main(["step", "exemplars.scan", *files, *options, "--device", "cuda"]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "device cuda was asked for, but torch finds no CUDA device; use device: cpu" in said
    assert not list(tmp_path.iterdir())
