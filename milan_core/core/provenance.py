"""What made an artefact: inputs, options, code, seed, versions, time and memory.

Every step writes `provenance.json` beside what it made, through the context manager `step`.
"""

from __future__ import annotations

import contextlib
import platform
import resource
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from milan_core.core.files import canonical_json, file_sha256, text_hash, write_json

FORMAT = 2  # as records of steps (`core.records`), without digests of outputs
_PACKAGES = (
    "milan-workflow",
    "numpy",
    "torch",
    "torchvision",
    "transformers",
    "snakemake",
    "spacy",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@contextlib.contextmanager
def step(
    name: str,
    folder: Path | str,
    *,
    inputs: Iterable[Path | str] = (),
    options: Any = None,
    code: str = "",
    seed: int | None = None,
    filename: str = "provenance.json",
) -> Iterator[dict[str, Any]]:
    """Time the block and write its provenance to `folder` when it ended without error.

    The block may add entries to the dictionary it is given (a data set's fingerprint, say).
    """
    extra: dict[str, Any] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield extra
    usage = resource.getrusage(resource.RUSAGE_SELF)
    record = {
        "format": "milan-provenance",
        "version": FORMAT,
        "step": name,
        "inputs": {str(path): _input_hash(Path(path)) for path in inputs},
        "outputs": {},
        "options": options,
        "config_hash": text_hash(canonical_json(options)),
        "code": code,
        "seed": seed,
        "versions": versions(),
        "machine": platform.machine(),
        "wall_seconds": round(time.perf_counter() - wall, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "peak_memory_mb": round(usage.ru_maxrss / 1024, 1),
        **extra,
    }
    write_json(Path(folder) / filename, record)


def _input_hash(path: Path) -> str | None:
    if not path.is_file():
        return None
    return file_sha256(path)
