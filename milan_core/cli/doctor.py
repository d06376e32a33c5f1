"""`milan doctor`: versions, devices, data packages and missing parts of this installation."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="versions, native core, devices, caches, gaps",
        description="Print versions, the native core, devices, data packages and what is missing. "
        "Exit code 1 where something is.",
        epilog="example: milan doctor",
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "--resources", type=Path, default=Path("resources"), help="folder of the data packages"
    )


def _run(arguments: argparse.Namespace) -> int:
    missing = [*_packages(), *_core(), *_devices()]
    _assets(arguments.resources)
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    print(f"disk        {free:.0f} GB free here")
    for line in missing:
        print(f"missing     {line}")
    return 1 if missing else 0


def _packages() -> list[str]:
    from milan_core.core.recording import versions

    text = ", ".join(f"{name} {value}" for name, value in versions().items())
    print(f"versions    {text}")
    needed = ["torch", "torchvision", "transformers", "snakemake", "spacy", "sacrebleu", "skimage"]
    return [
        f"package {name}; run `make env`" for name in needed if not importlib.util.find_spec(name)
    ]


def _core() -> list[str]:
    from milan_core import ops

    facts = ops.facts()
    if not facts["native"]:
        print("native core absent: the NumPy reference is used, about 100 times slower")
        return ["native core; run `pip install .` with a C++ compiler on the PATH"]
    print(f"native core {facts['version']}, instruction set {facts['isa']}")
    built = f"built for sm_{facts['cuda_architectures']}" if facts["built_with_cuda"] else "absent"
    print(f"cuda core   {built}; {_gpus(facts)}")
    return []


def _gpus(facts: Mapping[str, Any]) -> str:
    """The GPUs that the kernels can use, or why there are none.

    A machine without a GPU has no driver, or an old one: the runtime's own words mislead there.
    """
    if facts["cuda_devices"]:
        return f"{facts['cuda_devices']} device(s)"
    if facts["built_with_cuda"] and not _gpu_there():
        return "no GPU found (not needed)"
    return str(facts["cuda_problem"] or "no GPU found (not needed)")


def _gpu_there() -> bool:
    """Whether Linux has a device file of NVIDIA's driver, or of Windows below it."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def _devices() -> list[str]:
    if not importlib.util.find_spec("torch"):
        return []
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(count))
    print(f"devices     CPU with {torch.get_num_threads()} threads; CUDA: {names or 'none'}")
    return []


def _assets(resources: Path) -> None:
    from milan_core.images.fetch.registry import load_registry

    for name in load_registry():
        state = (
            "present" if (resources / "assets" / name / "asset.json").is_file() else "not fetched"
        )
        print(f"asset       {name}: {state}")
