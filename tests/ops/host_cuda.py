"""Build the CUDA kernels for the host, over the runtime in `shim`, and use them as a device.

    with active(load()):
        ...  # NumPy arrays and CPU tensors now count as device memory

Objects are kept in build/shim, named by a hash of their sources. `host_cuda.py MODULE matrix` runs
`device_cases` with a built module, for the sanitizers; `host_cuda.py MODULE barriers` leaves each
barrier out in turn.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from milan_core.ops import cuda

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
SHIM = Path(__file__).resolve().parent / "shim"
SOURCES = [*(CSRC / f"cuda/{name}.cu" for name in ("scan", "store", "masks")), SHIM / "fibers.cpp"]
GLUE = [CSRC / "bindings" / name for name in ("convert.cpp", "cuda.cpp")]
HEADERS = ["array", "axis", "error", "mask", "number"]
COMMON = [
    *("-std=c++17", "-g1", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra"),
    *("-Werror", "-Wno-unknown-pragmas", "-DMILAN_SHIM", "-DMILAN_MODULE=_shim"),
    '-DMILAN_ARCHITECTURES="host"',
]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def include_options() -> list[str]:
    import pybind11

    folders = [SHIM, SHIM.parent, CSRC / "include", CSRC, pybind11.get_include()]
    return [f"-I{folder}" for folder in [*folders, sysconfig.get_path("include")]]


@functools.cache
def fingerprint() -> str:
    digest = hashlib.sha256(" ".join([*COMMON, *include_options()]).encode())
    kernels = [*(CSRC / "cuda").iterdir(), *SHIM.iterdir()]
    shared = [CSRC / "include/milan" / f"{name}.h" for name in HEADERS]
    glue = [*GLUE, *(CSRC / "bindings").glob("*.h")]
    for path in sorted([*kernels, *shared, *glue]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def compile_object(sources: list[Path], options: list[str], to: Path) -> Path:
    """Compile sources as one unit, which reads their headers once."""
    if not to.exists():
        text = "".join(f'#include "{path}"\n' for path in sources)
        part = to.with_suffix(f".{os.getpid()}")
        command = ["c++", *COMMON, *options, *include_options(), "-x", "c++", "-c", "-", "-o", part]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        part.replace(to)
    return to


def build(sanitized: bool = False) -> Path:
    """Path of the module; the bindings are shared by both builds and never sanitized."""
    folder = ROOT / "build" / "shim" / fingerprint()
    folder.mkdir(parents=True, exist_ok=True)
    kind = "sanitized" if sanitized else "plain"
    target = folder / f"{kind}_shim.so"
    if target.exists():
        return target
    options = ["-O1", *SANITIZED] if sanitized else ["-O1"]
    with ThreadPoolExecutor(2) as pool:
        glue = pool.submit(compile_object, GLUE, ["-O0"], folder / "glue.o")
        others = [
            pool.submit(compile_object, [path], options, folder / f"{kind}_{path.stem}.o")
            for path in SOURCES
        ]
        objects = [str(job.result()) for job in [glue, *others]]
    part = target.with_suffix(f".{os.getpid()}")
    link = ["c++", "-shared", "-o", str(part), *objects, *(SANITIZED if sanitized else [])]
    subprocess.run(link, check=True)
    part.replace(target)
    return target


def sanitized_environment() -> dict[str, str]:
    """Environment of a Python process that loads a sanitized module."""
    libraries = [
        subprocess.run(
            ["c++", f"-print-file-name={name}"], text=True, capture_output=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    options = {"ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1", "LD_PRELOAD": " ".join(libraries)}
    return {**os.environ, **options}


def load(path: Path | None = None) -> ModuleType:
    """The module `_shim`."""
    path = path or build()
    loader = importlib.machinery.ExtensionFileLoader("_shim", str(path))
    spec = importlib.util.spec_from_loader("_shim", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@contextlib.contextmanager
def active(module: ModuleType, seed: int = 1) -> Iterator[ModuleType]:
    """Make host memory count as device memory, and `module` as its kernels."""
    before = cuda.kernels, cuda.DEVICE_TYPE
    cuda.kernels, cuda.DEVICE_TYPE = lambda: module, 1  # type: ignore[assignment]
    module.set_seed(seed)
    cuda._problem.cache_clear()
    cuda._tell.cache_clear()
    try:
        yield module
    finally:
        cuda.kernels, cuda.DEVICE_TYPE = before
        cuda._problem.cache_clear()
        module.set_capturing(False)
        module.set_late_copies(0)
        module.set_capability(9)
        module.set_failing_allocations(0)
        module.set_current_device(0)
        module.set_memory_hook(None)
        module.forget_graph()
        module.drop_barrier("")


def survives(work: Callable[[], None]) -> bool:
    """Does the work end well? In a process of its own: a race may also end in a crash."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def check_barriers(kernels: ModuleType) -> int:
    """Leave each barrier out; returns how many of them nothing notices."""
    kernels.take_barriers()
    device_cases.check_telling()
    unnoticed = 0
    for site in kernels.take_barriers():
        kernels.drop_barrier(site)
        for seed in range(1, 9):
            kernels.set_seed(seed)
            if not survives(device_cases.check_telling):
                print(site, "noticed")
                break
        else:
            print(site, "is never missed")
            unnoticed += 1
        kernels.drop_barrier("")
    return unnoticed


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(ROOT / "tests"))
    from ops import device_cases

    with active(load(Path(sys.argv[1]))) as module:
        if sys.argv[2] == "barriers":
            raise SystemExit(check_barriers(module))
        device_cases.run_for_sanitizers()
    print("matrix passed")
